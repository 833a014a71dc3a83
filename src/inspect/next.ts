import type { ValueCodec } from "../cache/value-codec.js";
import { toText } from "../core/text.js";
import { type Guess, reason } from "./decode.js";

/*
 * Entries of Next: next/frame.ts and next/stored.ts have their form, in a layer below this one. Only the head is shown, with
 * name, type and length of each part after it.
 */
const HEAD_AT = 6;

/** The head of an entry of Next. Never throws. */
export async function nextValue(payload: Uint8Array, codec: ValueCodec): Promise<Guess> {
  const isPacked = payload[0] === 0x4e && payload[1] === 0x7a;
  try {
    const frame = isPacked ? await codec.decompressBytes(payload.subarray(2)) : payload;
    const length = new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(2);
    const head: unknown = JSON.parse(toText(frame.subarray(HEAD_AT, HEAD_AT + length)));
    const [fields, parts] = Array.isArray(head) ? head : [];
    return { codec: "next", value: { fields, parts } };
  } catch (error) {
    return { codec: "next", error: reason(error) };
  }
}
