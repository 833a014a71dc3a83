import type { Codec } from "../codec/codec.js";
import type { Command, Reply } from "../core/command.js";
import type { Connection, SendOptions } from "../core/connection.js";
import { throwIfError } from "../core/errors.js";
import { toText } from "../core/text.js";
import type { ClientContext } from "./client.js";
import { decodeAll, decodeOne, encodeAll } from "./members.js";
import { sameSlot } from "./refusals.js";

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
