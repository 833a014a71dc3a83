import type { ReplyError } from "./errors.js";

/** A command's name, then its arguments. */
export type Command = readonly [name: string, ...args: Argument[]];

export type Argument = string | Uint8Array;

/**
 * One shape on every transport: integers and booleans are numbers, status replies are strings, bulk strings are bytes,
 * sets are arrays, maps are arrays of pairs, absence is `null`. A command that failed has a `ReplyError` in its place.
 */
export type Reply = null | number | string | Uint8Array | ReplyError | Reply[];
