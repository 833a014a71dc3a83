/** A value as it is stored. */
export type Encoded = string | Uint8Array;
