import { SetCommands, type SetPage, several } from "../client/sets.js";
import { show } from "../core/errors.js";
import type { Key } from "../core/key.js";
import type { KeyOptions } from "./base.js";
import { Entries } from "./entries.js";

export interface ScanSetOptions extends KeyOptions {
  /** A glob for members in their stored form: text in JSON has its quotes. @default every member */
  match?: string;
  /** How many members the server looks at for each page. @default the cache's `scanCount` */
  scanCount?: number;
}

export interface StoreOptions extends KeyOptions {
  /** The version in the destination's key. @default `version` */
  versionDestination?: number;
  /** The version in the other keys. @default `version` */
  versionKeys?: number;
}

/** Methods on sets. Members are values as the cache stores them; lists are arrays, Sets or other iterables. */
export abstract class Sets extends Entries {
  readonly #sets = new SetCommands(this.context);

  /** How many members were new. @throws {EncodeError} before any I/O */
  async sadd(key: Key, members: Iterable<unknown>, options: KeyOptions = {}): Promise<number> {
    const made = this.made(key, options);
    return this.guard("sadd", made, 0, this.#sets.add(made, several(members, "members")));
  }

  /** How many members were there. */
  async srem(key: Key, members: Iterable<unknown>, options: KeyOptions = {}): Promise<number> {
    const made = this.made(key, options);
    return this.guard("srem", made, 0, this.#sets.remove(made, several(members, "members")));
  }

  /** How many members there are. */
  async scard(key: Key, options: KeyOptions = {}): Promise<number> {
    const made = this.made(key, options);
    return this.guard("scard", made, 0, this.#sets.size(made));
  }

  async sismember(key: Key, member: unknown, options: KeyOptions = {}): Promise<boolean> {
    const made = this.made(key, options);
    return this.guard("sismember", made, false, this.#sets.has(made, member));
  }

  /** For each of the members whether it is in the set, in order. */
  async smismember(key: Key, members: Iterable<unknown>, options: KeyOptions = {}): Promise<boolean[]> {
    const made = this.made(key, options);
    const list = several(members, "members");
    return this.guard(
      "smismember",
      made,
      list.map(() => false),
      this.#sets.hasEach(made, list),
    );
  }

  async smembers<T = unknown>(key: Key, options: KeyOptions = {}): Promise<Set<T>> {
    const made = this.made(key, options);
    return toSet<T>(await this.guard("smembers", made, [], this.#sets.members(made)));
  }

  /** Members of the first set that are in none of the others. */
  sdiff<T = unknown>(keys: Iterable<Key>, options: KeyOptions = {}): Promise<Set<T>> {
    return this.#combine("SDIFF", keys, options);
  }

  /** Members that are in every set. */
  sinter<T = unknown>(keys: Iterable<Key>, options: KeyOptions = {}): Promise<Set<T>> {
    return this.#combine("SINTER", keys, options);
  }

  /** Members that are in any set. */
  sunion<T = unknown>(keys: Iterable<Key>, options: KeyOptions = {}): Promise<Set<T>> {
    return this.#combine("SUNION", keys, options);
  }

  /** Stores what `sdiff` answers. How many members that is. */
  sdiffstore(destination: Key, keys: Iterable<Key>, options: StoreOptions = {}): Promise<number> {
    return this.#combineInto("SDIFFSTORE", destination, keys, options);
  }

  /** Stores what `sinter` answers. How many members that is. */
  sinterstore(destination: Key, keys: Iterable<Key>, options: StoreOptions = {}): Promise<number> {
    return this.#combineInto("SINTERSTORE", destination, keys, options);
  }

  /** Stores what `sunion` answers. How many members that is. */
  sunionstore(destination: Key, keys: Iterable<Key>, options: StoreOptions = {}): Promise<number> {
    return this.#combineInto("SUNIONSTORE", destination, keys, options);
  }

  /** Whether the member was in the source, and so moved. */
  async smove(source: Key, destination: Key, member: unknown, options: KeyOptions = {}): Promise<boolean> {
    const [from, to] = [this.made(source, options), this.made(destination, options)];
    return this.guard("smove", from, false, this.#sets.move(from, to, member));
  }

  /** Takes a member out at random, or up to `count` of them. */
  spop<T = unknown>(key: Key): Promise<T | undefined>;
  spop<T = unknown>(key: Key, count: undefined, options?: KeyOptions): Promise<T | undefined>;
  spop<T = unknown>(key: Key, count: number, options?: KeyOptions): Promise<T[]>;
  async spop(key: Key, count?: number, options: KeyOptions = {}): Promise<unknown> {
    const made = this.made(key, options);
    if (count === undefined) return this.guard("spop", made, undefined, this.#sets.pop(made));
    if (!Number.isSafeInteger(count) || count < 0) throw notACount(count, "0 or more");
    return this.guard("spop", made, [], this.#sets.popMany(made, count));
  }

  /** A member at random; up to `count` different ones; or, below 0, exactly so many that may repeat. */
  srandmember<T = unknown>(key: Key): Promise<T | undefined>;
  srandmember<T = unknown>(key: Key, count: undefined, options?: KeyOptions): Promise<T | undefined>;
  srandmember<T = unknown>(key: Key, count: number, options?: KeyOptions): Promise<T[]>;
  async srandmember(key: Key, count?: number, options: KeyOptions = {}): Promise<unknown> {
    const made = this.made(key, options);
    if (count === undefined) return this.guard("srandmember", made, undefined, this.#sets.random(made));
    if (!Number.isSafeInteger(count)) throw notACount(count, "below 0 to allow repeats");
    return this.guard("srandmember", made, [], this.#sets.randomMany(made, count));
  }

  /** One page of a set: begin with the cursor `"0"`, go on with the one answered until that is `"0"` again. */
  async sscan(key: Key, cursor = "0", options: ScanSetOptions = {}): Promise<SetPage> {
    const made = this.made(key, options);
    if (!/^\d+$/.test(cursor))
      throw new TypeError(`cursor: ${show(cursor)} is not a cursor; give "0" or the one answered before`);
    const count = options.scanCount ?? this.settings.scanCount;
    return this.guard("sscan", made, { cursor: "0", members: [] }, this.#sets.scan(made, cursor, options.match, count));
  }

  /** Every member, page by page; one that comes or goes meanwhile may be missed or come twice. Can be left early. */
  async *sscanIter<T = unknown>(key: Key, options: ScanSetOptions = {}): AsyncIterable<T> {
    let cursor = "0";
    do {
      const page = await this.sscan(key, cursor, options);
      yield* page.members as T[];
      cursor = page.cursor;
    } while (cursor !== "0");
  }

  async #combine<T>(command: "SDIFF" | "SINTER" | "SUNION", keys: Iterable<Key>, options: KeyOptions): Promise<Set<T>> {
    const made = this.#several(keys, options);
    const method = command.toLowerCase();
    return toSet<T>(await this.guard(method, made.join(" "), [], this.#sets.combine(command, made)));
  }

  async #combineInto(
    command: "SDIFFSTORE" | "SINTERSTORE" | "SUNIONSTORE",
    destination: Key,
    keys: Iterable<Key>,
    options: StoreOptions,
  ): Promise<number> {
    const { versionDestination, versionKeys } = options;
    const to = this.made(
      destination,
      versionDestination === undefined ? options : { ...options, version: versionDestination },
    );
    const made = this.#several(keys, versionKeys === undefined ? options : { ...options, version: versionKeys });
    return this.guard(command.toLowerCase(), to, 0, this.#sets.combineInto(command, to, made));
  }

  #several(keys: Iterable<Key>, options: KeyOptions): string[] {
    const made = this.allMade(several(keys, "keys"), options);
    if (made.length === 0) throw new TypeError("keys: there are none; give at least one");
    return made;
  }
}

function toSet<T>(members: unknown[]): Set<T> {
  return new Set(members as T[]);
}

function notACount(count: unknown, range: string): TypeError {
  return new TypeError(`count: ${show(count)} is not a count; give a whole number, ${range}`);
}
