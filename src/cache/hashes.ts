import { HashCommands } from "../client/hashes.js";
import { several } from "../client/sets.js";
import { show } from "../core/errors.js";
import type { Key } from "../core/key.js";
import type { KeyOptions } from "./base.js";
import { Sets } from "./sets.js";

/** Methods on hashes. The name is made like any key, fields are the user's own, values are stored as the cache stores values. */
export abstract class Hashes extends Sets {
  readonly #hashes = new HashCommands(this.context);

  /** Sets one field, or all fields of a record. How many were new. @throws {EncodeError} before any I/O */
  hset(name: Key, field: string, value: unknown, options?: KeyOptions): Promise<number>;
  hset(
    name: Key,
    record: Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown>,
    options?: KeyOptions,
  ): Promise<number>;
  async hset(name: Key, what: unknown, value?: unknown, options?: KeyOptions): Promise<number> {
    const one = typeof what === "string";
    const made = this.made(name, (one ? options : (value as KeyOptions | undefined)) ?? {});
    const fields: [string, unknown][] = one ? [[what, value]] : toFields(what);
    for (const [field, each] of fields) {
      if (each === undefined)
        throw new TypeError(`field ${show(field)}: undefined can't be stored; store null, or delete the field`);
    }
    return this.guard("hset", made, 0, this.#hashes.set(made, fields));
  }

  /** The field's value, or `undefined` when there is none. @throws {DecodeError} */
  async hget<T = unknown>(name: Key, field: string, options: KeyOptions = {}): Promise<T | undefined> {
    const made = this.made(name, options);
    return (await this.guard("hget", made, undefined, this.#hashes.get(made, checkField(field)))) as T | undefined;
  }

  /** Every field. @throws {DecodeError} */
  async hgetAll<T = unknown>(name: Key, options: KeyOptions = {}): Promise<Map<string, T>> {
    const made = this.made(name, options);
    return (await this.guard("hgetAll", made, new Map(), this.#hashes.getAll(made))) as Map<string, T>;
  }

  /** Deletes a field, or several. How many were there. */
  async hdel(name: Key, fields: string | Iterable<string>, options: KeyOptions = {}): Promise<number> {
    const made = this.made(name, options);
    const list = typeof fields === "string" ? [fields] : several(fields, "fields").map(checkField);
    return this.guard("hdel", made, 0, this.#hashes.delete(made, list));
  }

  /** How many fields there are. */
  async hlen(name: Key, options: KeyOptions = {}): Promise<number> {
    const made = this.made(name, options);
    return this.guard("hlen", made, 0, this.#hashes.size(made));
  }

  /** The names of all fields. */
  async hkeys(name: Key, options: KeyOptions = {}): Promise<string[]> {
    const made = this.made(name, options);
    return this.guard("hkeys", made, [], this.#hashes.fields(made));
  }

  async hexists(name: Key, field: string, options: KeyOptions = {}): Promise<boolean> {
    const made = this.made(name, options);
    return this.guard("hexists", made, false, this.#hashes.has(made, checkField(field)));
  }
}

function checkField(field: unknown): string {
  if (typeof field === "string") return field;
  throw new TypeError(`field: ${show(field)} is not a field; give a string`);
}

function toFields(what: unknown): [string, unknown][] {
  if (what instanceof Map) return [...what].map(([field, value]) => [checkField(field), value]);
  if (typeof what === "object" && what !== null && !Array.isArray(what)) return Object.entries(what);
  throw new TypeError(
    `hset: ${show(what)} is neither a field nor a record; give a string and a value, an object, or a Map`,
  );
}
