import { inBatches } from "../core/async.js";
import type { Argument, Command, Connection, Reply, SendOptions } from "../core/connection.js";
import { DecodeError, show } from "../core/errors.js";
import type { Key } from "../core/key.js";
import { toText } from "../core/text.js";
import { checkField, NO_OPTIONS, several, toFields } from "./arguments.js";
import type { KeyOptions, MethodOptions, RecordInput } from "./method-options.js";
import type { CacheParts } from "./parts.js";
import { decodeOne, sendTyped, type Work } from "./store-calls.js";

type HashMethod = keyof MethodOptions extends infer M ? (M extends `hashes.${infer Name}` ? Name : never) : never;

const READ: SendOptions = { readOnly: true };

/**
 * Hashes, which map fields to values: `cache.hashes`. The name is a key like any other, fields are strings, and values are
 * stored as the cache stores values. A hash is deleted with its last field, and never expires unless `expire` is called.
 *
 * Every method rejects with `TypeError` on wrong arguments.
 */
export class CacheHashes {
  readonly #parts: CacheParts;

  /** @internal Use `cache.hashes`. */
  constructor(parts: CacheParts) {
    this.#parts = parts;
  }

  /**
   * Sets one field, or every field of an object or a `Map` (`HSET`).
   * @returns how many of the fields were new
   * @throws {EncodeError} before any I/O, when a value can't be stored
   * @example
   * await cache.hashes.set("user:1", "name", "Ann");
   * await cache.hashes.set("user:1", { name: "Ann", visits: 3 });
   */
  set(name: Key, field: string, value: unknown, options?: KeyOptions): Promise<number>;
  set(name: Key, record: RecordInput | ReadonlyMap<string, unknown>, options?: KeyOptions): Promise<number>;
  async set(name: Key, what: unknown, value?: unknown, options?: KeyOptions): Promise<number> {
    const isOne = typeof what === "string";
    const fields: [string, unknown][] = isOne ? [[checkField(what), value]] : toFields(what);
    if (!isOne && options !== undefined)
      throw new TypeError("hashes.set: there is an argument after the options of a record; leave it out");
    const given = isOne ? options : (value as KeyOptions | undefined);
    return this.#onKey("set", name, given === undefined ? NO_OPTIONS : given, 0, async (stored, call) => {
      const unset = fields.find(([, each]) => each === undefined);
      if (unset)
        throw new TypeError(`field ${show(unset[0])}: undefined can't be stored; store null, or delete the field`);
      const added = await this.#set(stored, fields);
      call?.stored(fields.length);
      return added;
    });
  }

  /** The value of a field, `undefined` when there is none (`HGET`). @throws {DecodeError} */
  async get<T = unknown>(name: Key, field: string, options: KeyOptions = NO_OPTIONS): Promise<T | undefined> {
    const read = (stored: string): Promise<unknown> => this.#get(stored, checkField(field));
    return (await this.#onKey("get", name, options, undefined, read)) as T | undefined;
  }

  /**
   * Every field with its value (`HGETALL`); an empty `Map` when there is no such hash.
   * @throws {DecodeError}
   * @example
   * const user = Object.fromEntries(await cache.hashes.getAll("user:1"));
   */
  async getAll<T = unknown>(name: Key, options: KeyOptions = NO_OPTIONS): Promise<Map<string, T>> {
    const read = (stored: string): Promise<Map<string, unknown>> => this.#getAll(stored);
    return (await this.#onKey("getAll", name, options, new Map(), read)) as Map<string, T>;
  }

  /** Deletes one field or several (`HDEL`). @returns how many of them there were */
  delete(name: Key, fields: string | Iterable<string>, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return this.#onKey("delete", name, options, 0, (stored) => {
      const list = typeof fields === "string" ? [fields] : several(fields, "fields").map(checkField);
      return sumOfReplies(this.#parts.connection, "HDEL", stored, list);
    });
  }

  /** The number of fields (`HLEN`). */
  size(name: Key, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return this.#onKey("size", name, options, 0, (stored) => this.#number(["HLEN", stored], READ));
  }

  /** The names of all fields (`HKEYS`). */
  fields(name: Key, options: KeyOptions = NO_OPTIONS): Promise<string[]> {
    return this.#onKey("fields", name, options, [], (stored) => this.#fields(stored));
  }

  /** Whether there is such a field (`HEXISTS`). */
  has(name: Key, field: string, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#onKey("has", name, options, false, (stored) => this.#has(stored, checkField(field)));
  }

  #onKey<T>(method: HashMethod, key: Key, options: KeyOptions, otherwise: T, work: Work<T>): Promise<T> {
    return this.#parts.calls.onKey(`hashes.${method}`, key, options, otherwise, work);
  }

  async #set(stored: string, fields: readonly (readonly [field: string, value: unknown])[]): Promise<number> {
    if (fields.length === 0) return 0;
    const { connection, settings } = this.#parts;
    const encoding = settings.codec.encodeAll(fields.map(([, value]) => [stored, value] as const));
    return connection.inOrder(encoding, (ordered, encoded) => {
      const rest = fields.flatMap(([field], i): Argument[] => [field, encoded[i] ?? ""]);
      return sumOfReplies(ordered, "HSET", stored, rest);
    });
  }

  async #get(stored: string, field: string): Promise<unknown> {
    return decodeOne(this.#parts.settings.codec, await this.#reply(["HGET", stored, field], READ), stored);
  }

  async #getAll(stored: string): Promise<Map<string, unknown>> {
    const pairs = await this.#reply(["HGETALL", stored], READ);
    const values = new Map<string, unknown>();
    for (const pair of Array.isArray(pairs) ? pairs : []) {
      const [field, value = null] = Array.isArray(pair) ? pair : [];
      if (!(field instanceof Uint8Array)) continue;
      values.set(fieldText(field, stored), await decodeOne(this.#parts.settings.codec, value, stored));
    }
    return values;
  }

  async #fields(stored: string): Promise<string[]> {
    const fields = await this.#reply(["HKEYS", stored], READ);
    if (!Array.isArray(fields)) return [];
    return fields.flatMap((field) => (field instanceof Uint8Array ? [fieldText(field, stored)] : []));
  }

  async #has(stored: string, field: string): Promise<boolean> {
    return (await this.#number(["HEXISTS", stored, field], READ)) === 1;
  }

  async #number(command: Command, options?: SendOptions): Promise<number> {
    return Number(await this.#reply(command, options));
  }

  /** @throws {ReplyError} */
  #reply(command: Command, options?: SendOptions): Promise<Reply> {
    return sendTyped(this.#parts.connection, command, options);
  }
}

/** The sum of the replies. A batch has an even number of arguments, so a field stays beside its value. */
async function sumOfReplies(
  connection: Connection,
  command: "HSET" | "HDEL",
  stored: string,
  args: readonly Argument[],
): Promise<number> {
  let sum = 0;
  await inBatches(args, async (batch) => {
    sum += Number(await sendTyped(connection, [command, stored, ...batch]));
  });
  return sum;
}

/** @throws {DecodeError} when another program wrote a field that is not text */
function fieldText(field: Uint8Array, key: string): string {
  try {
    return toText(field);
  } catch (cause) {
    throw new DecodeError(
      `key ${show(key)}: the name of a field is not text; read it over cache.connection, or delete the key`,
      { cause },
    );
  }
}
