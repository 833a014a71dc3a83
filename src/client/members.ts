import type { Codec } from "../codec/codec.js";
import type { Encoded } from "../codec/encoded.js";
import type { Reply } from "../core/command.js";
import { show, throwIfError } from "../core/errors.js";

/** @throws {EncodeError} before any I/O */
export async function encodeAll(codec: Codec, values: Iterable<unknown>, key: string): Promise<Encoded[]> {
  const encoded: Encoded[] = [];
  for (const value of values) encoded.push(await codec.encode(value, key));
  return encoded;
}

/** Every member in an array reply. @throws {DecodeError} @throws {ReplyError} */
export async function decodeAll(codec: Codec, reply: Reply, key: string): Promise<unknown[]> {
  const members = throwIfError(reply);
  if (!Array.isArray(members)) return [];
  const values: unknown[] = [];
  for (const member of members) values.push(await decodeOne(codec, member, key));
  return values;
}

/** `undefined` for none. @throws {DecodeError} @throws {ReplyError} */
export async function decodeOne(codec: Codec, reply: Reply, key: string): Promise<unknown> {
  const member = throwIfError(reply);
  return typeof member === "string" || member instanceof Uint8Array ? codec.decode(member, key) : undefined;
}

/** Several values, as an iterable that can't be a slip: text is one value, not its letters. @throws TypeError */
export function several(values: unknown, name: string): unknown[] {
  if (typeof values === "object" && values !== null && Symbol.iterator in values && !ArrayBuffer.isView(values)) {
    return [...(values as Iterable<unknown>)];
  }
  throw new TypeError(`${name}: ${show(values)} is not a list; give an array, a Set or another iterable`);
}
