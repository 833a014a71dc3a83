import type { Codec } from "../codec/codec.js";
import type { Argument, Command, Connection, Reply, SendOptions } from "../core/connection.js";
import { DecodeError, show, throwIfError } from "../core/errors.js";
import { toText } from "../core/text.js";
import type { ClientContext } from "./client.js";
import { decodeOne } from "./sets.js";

const READ: SendOptions = { readOnly: true };

/** Commands on hashes. Keys are made keys, fields the user's own text; values are stored by the codec. */
export class HashCommands {
  readonly #connection: Connection;
  readonly #codec: Codec;

  constructor({ connection, codec }: ClientContext) {
    this.#connection = connection;
    this.#codec = codec;
  }

  /** How many fields were new. @throws {EncodeError} before any I/O */
  async set(key: string, fields: readonly (readonly [field: string, value: unknown])[]): Promise<number> {
    if (fields.length === 0) return 0;
    const rest: Argument[] = [];
    for (const [field, value] of fields) rest.push(field, await this.#codec.encode(value, key));
    return this.#number(["HSET", key, ...rest]);
  }

  async get(key: string, field: string): Promise<unknown> {
    return decodeOne(this.#codec, await this.#one(["HGET", key, field], READ), key);
  }

  async getAll(key: string): Promise<Map<string, unknown>> {
    const pairs = throwIfError(await this.#one(["HGETALL", key], READ));
    const values = new Map<string, unknown>();
    for (const pair of Array.isArray(pairs) ? pairs : []) {
      const [field, value = null] = Array.isArray(pair) ? pair : [];
      if (field instanceof Uint8Array) values.set(fieldText(field, key), await decodeOne(this.#codec, value, key));
    }
    return values;
  }

  /** How many were there. */
  async delete(key: string, fields: readonly string[]): Promise<number> {
    return fields.length === 0 ? 0 : this.#number(["HDEL", key, ...fields]);
  }

  size(key: string): Promise<number> {
    return this.#number(["HLEN", key], READ);
  }

  async fields(key: string): Promise<string[]> {
    const fields = throwIfError(await this.#one(["HKEYS", key], READ));
    if (!Array.isArray(fields)) return [];
    return fields.flatMap((field) => (field instanceof Uint8Array ? [fieldText(field, key)] : []));
  }

  async has(key: string, field: string): Promise<boolean> {
    return (await this.#number(["HEXISTS", key, field], READ)) === 1;
  }

  async #one(command: Command, options?: SendOptions): Promise<Reply> {
    const [reply = null] = await this.#connection.send([command], options);
    return reply;
  }

  async #number(command: Command, options?: SendOptions): Promise<number> {
    return Number(throwIfError(await this.#one(command, options)));
  }
}

/** @throws {DecodeError} on the field of another program that is no text */
function fieldText(field: Uint8Array, key: string): string {
  try {
    return toText(field);
  } catch (cause) {
    throw new DecodeError(`key ${show(key)}: a field there is no text; read it over the raw connection, or delete it`, {
      cause,
    });
  }
}
