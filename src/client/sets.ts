import type { Codec } from "../codec/codec.js";
import type { Encoded } from "../codec/envelope.js";
import type { Command, Connection, Reply, SendOptions } from "../core/connection.js";
import { show, throwIfError } from "../core/errors.js";
import { toText } from "../core/text.js";
import type { ClientContext } from "./client.js";
import { sameSlot } from "./refusals.js";

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

const READ: SendOptions = { readOnly: true };
/** A cursor is good on one server only, and reads may go to any: what is atomic goes to the primary. */
const WALK: SendOptions = { readOnly: true, atomic: true };

export interface SetPage {
  /** Where to go on; `"0"` when the walk is over. */
  readonly cursor: string;
  readonly members: unknown[];
}

/** Commands on sets. Keys are made keys; members are values as the codec stores them. */
export class SetCommands {
  readonly #connection: Connection;
  readonly #codec: Codec;

  constructor({ connection, codec }: ClientContext) {
    this.#connection = connection;
    this.#codec = codec;
  }

  /** How many were new. */
  async add(key: string, members: readonly unknown[]): Promise<number> {
    if (members.length === 0) return 0;
    return this.#number(["SADD", key, ...(await encodeAll(this.#codec, members, key))]);
  }

  /** How many were there. */
  async remove(key: string, members: readonly unknown[]): Promise<number> {
    if (members.length === 0) return 0;
    return this.#number(["SREM", key, ...(await encodeAll(this.#codec, members, key))]);
  }

  size(key: string): Promise<number> {
    return this.#number(["SCARD", key], READ);
  }

  async has(key: string, member: unknown): Promise<boolean> {
    return (await this.#number(["SISMEMBER", key, await this.#codec.encode(member, key)], READ)) === 1;
  }

  async hasEach(key: string, members: readonly unknown[]): Promise<boolean[]> {
    if (members.length === 0) return [];
    const reply = throwIfError(
      await this.#one(["SMISMEMBER", key, ...(await encodeAll(this.#codec, members, key))], READ),
    );
    return Array.isArray(reply) ? reply.map((one) => one === 1) : [];
  }

  async members(key: string): Promise<unknown[]> {
    return decodeAll(this.#codec, await this.#one(["SMEMBERS", key], READ), key);
  }

  /** Members of a difference, intersection or union of sets. */
  async combine(command: "SDIFF" | "SINTER" | "SUNION", keys: readonly string[]): Promise<unknown[]> {
    const reply = await sameSlot(keys, this.#one([command, ...keys], READ).then(throwIfError));
    return decodeAll(this.#codec, reply, keys.join(" "));
  }

  /** How many members the combination has, which is then the set at `destination`. */
  combineInto(
    command: "SDIFFSTORE" | "SINTERSTORE" | "SUNIONSTORE",
    destination: string,
    keys: readonly string[],
  ): Promise<number> {
    return sameSlot([destination, ...keys], this.#number([command, destination, ...keys]));
  }

  async move(source: string, destination: string, member: unknown): Promise<boolean> {
    const encoded = await this.#codec.encode(member, source);
    return (await sameSlot([source, destination], this.#number(["SMOVE", source, destination, encoded]))) === 1;
  }

  async pop(key: string): Promise<unknown> {
    return decodeOne(this.#codec, await this.#one(["SPOP", key]), key);
  }

  async popMany(key: string, count: number): Promise<unknown[]> {
    return decodeAll(this.#codec, await this.#one(["SPOP", key, String(count)]), key);
  }

  async random(key: string): Promise<unknown> {
    return decodeOne(this.#codec, await this.#one(["SRANDMEMBER", key], READ), key);
  }

  async randomMany(key: string, count: number): Promise<unknown[]> {
    return decodeAll(this.#codec, await this.#one(["SRANDMEMBER", key, String(count)], READ), key);
  }

  async scan(key: string, cursor: string, match: string | undefined, count: number): Promise<SetPage> {
    const command: [string, ...string[]] = ["SSCAN", key, cursor, "COUNT", String(count)];
    if (match !== undefined) command.push("MATCH", match);
    const reply = throwIfError(await this.#one(command, WALK));
    const [next, members = null] = Array.isArray(reply) ? reply : [];
    return {
      cursor: next instanceof Uint8Array ? toText(next) : "0",
      members: await decodeAll(this.#codec, members, key),
    };
  }

  async #one(command: Command, options?: SendOptions): Promise<Reply> {
    const [reply = null] = await this.#connection.send([command], options);
    return reply;
  }

  async #number(command: Command, options?: SendOptions): Promise<number> {
    return Number(throwIfError(await this.#one(command, options)));
  }
}
