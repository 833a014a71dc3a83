import { sameSlot } from "../client/refusals.js";
import type { Encoded } from "../codec/envelope.js";
import { BATCH_SIZE, inBatches, nextTurn } from "../core/async.js";
import { UnavailableError } from "../core/availability.js";
import type { Command, Connection, Reply, SendOptions } from "../core/connection.js";
import { throwIfError } from "../core/errors.js";
import type { Key } from "../core/key.js";
import { toText } from "../core/text.js";
import { checkCount, checkCursor, checked, NO_OPTIONS, several } from "./arguments.js";
import type { KeyOptions, MethodOptions, ScanSetOptions, StoreOptions } from "./method-options.js";
import type { CacheParts } from "./parts.js";
import { decodeOne, sendTyped } from "./store-calls.js";

/** One page of `sets.scan`. */
export interface SetPage {
  /** The cursor of the next page; `"0"` after the last one. */
  readonly cursor: string;
  readonly members: unknown[];
}

const READ: SendOptions = { readOnly: true };
/** A cursor is valid on one server only, and reads may go to any. Atomic commands go to the primary. */
const SCAN: SendOptions = { readOnly: true, atomic: true };

type SetMethod = keyof MethodOptions extends infer M ? (M extends `sets.${infer Name}` ? Name : never) : never;
type Combination = "difference" | "intersection" | "union";
const COMMANDS = { difference: "SDIFF", intersection: "SINTER", union: "SUNION" } as const;

/**
 * Sets of values: `cache.sets`. Members are stored as the cache stores values. Arguments with several members or keys are
 * arrays, Sets or other iterables. A set is deleted with its last member, and never expires unless `expire` is called.
 *
 * Every method rejects with `TypeError` on wrong arguments, and with `EncodeError` when a member can't be stored.
 */
export class CacheSets {
  readonly #parts: CacheParts;

  /** @internal Use `cache.sets`. */
  constructor(parts: CacheParts) {
    this.#parts = parts;
  }

  /**
   * Adds members (`SADD`).
   * @returns how many of them were new
   * @example
   * await cache.sets.add("online", ["ann", "bob"]); // 2
   */
  add(key: Key, members: Iterable<unknown>, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return this.#onKey("add", key, options, 0, (stored) => this.#change("SADD", stored, several(members, "members")));
  }

  /**
   * Deletes members (`SREM`).
   * @returns how many of them were in the set
   */
  delete(key: Key, members: Iterable<unknown>, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return this.#onKey("delete", key, options, 0, (stored) =>
      this.#change("SREM", stored, several(members, "members")),
    );
  }

  /** The number of members (`SCARD`). */
  size(key: Key, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return this.#onKey("size", key, options, 0, (stored) => this.#number(["SCARD", stored], READ));
  }

  /** Whether a value is a member (`SISMEMBER`). */
  has(key: Key, member: unknown, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#onKey("has", key, options, false, (stored) =>
      this.#parts.connection.inOrder(
        this.#parts.settings.codec.encode(member, stored),
        async (connection, encoded) => (await sendTyped(connection, ["SISMEMBER", stored, encoded], READ)) === 1,
      ),
    );
  }

  /**
   * Whether each value is a member, in the order given (`SMISMEMBER`).
   * @example
   * await cache.sets.hasMany("online", ["ann", "eve"]); // [true, false]
   */
  async hasMany(key: Key, members: Iterable<unknown>, options: KeyOptions = NO_OPTIONS): Promise<boolean[]> {
    const list = several(members, "members");
    const stored = this.#parts.keys.stored(key, checked("sets.hasMany", options));
    const none = list.map(() => false);
    return this.#guard("hasMany", stored, none, () => this.#hasMany(stored, list), list.length);
  }

  /** Every member (`SMEMBERS`). @throws {DecodeError} */
  async members<T = unknown>(key: Key, options: KeyOptions = NO_OPTIONS): Promise<Set<T>> {
    const read = (stored: string): Promise<unknown[]> => this.#list(["SMEMBERS", stored], stored, READ);
    return toSet<T>(await this.#onKey("members", key, options, [], read));
  }

  /** Members of the first set that are in none of the others (`SDIFF`). @throws {DecodeError} */
  difference<T = unknown>(keys: Iterable<Key>, options: KeyOptions = NO_OPTIONS): Promise<Set<T>> {
    return this.#combine("difference", keys, options);
  }

  /** Members that are in every set (`SINTER`). @throws {DecodeError} */
  intersection<T = unknown>(keys: Iterable<Key>, options: KeyOptions = NO_OPTIONS): Promise<Set<T>> {
    return this.#combine("intersection", keys, options);
  }

  /**
   * Members that are in any of the sets (`SUNION`). In a cluster the keys need a common hash tag.
   * @throws {DecodeError}
   * @example
   * const readers = await cache.sets.union<string>(["{doc:1}:viewers", "{doc:1}:editors"]);
   */
  union<T = unknown>(keys: Iterable<Key>, options: KeyOptions = NO_OPTIONS): Promise<Set<T>> {
    return this.#combine("union", keys, options);
  }

  /** Stores what `difference` returns at `destination` (`SDIFFSTORE`). @returns its size */
  differenceStore(destination: Key, keys: Iterable<Key>, options: StoreOptions = NO_OPTIONS): Promise<number> {
    return this.#combineInto("difference", destination, keys, options);
  }

  /** Stores what `intersection` returns at `destination` (`SINTERSTORE`). @returns its size */
  intersectionStore(destination: Key, keys: Iterable<Key>, options: StoreOptions = NO_OPTIONS): Promise<number> {
    return this.#combineInto("intersection", destination, keys, options);
  }

  /** Stores what `union` returns at `destination` (`SUNIONSTORE`). @returns its size */
  unionStore(destination: Key, keys: Iterable<Key>, options: StoreOptions = NO_OPTIONS): Promise<number> {
    return this.#combineInto("union", destination, keys, options);
  }

  /** Moves a member to another set (`SMOVE`). @returns whether it was in the source */
  async move(source: Key, destination: Key, member: unknown, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    const { keys } = this.#parts;
    const from = keys.stored(source, checked("sets.move", options));
    const to = keys.stored(destination, options);
    return this.#guard("move", from, false, () => this.#move(from, to, member));
  }

  /**
   * Removes and returns a random member, or up to `count` of them (`SPOP`).
   * @returns the member, `undefined` from an empty set; with `count` an array
   * @throws {DecodeError}
   */
  pop<T = unknown>(key: Key): Promise<T | undefined>;
  pop<T = unknown>(key: Key, count: undefined, options?: KeyOptions): Promise<T | undefined>;
  pop<T = unknown>(key: Key, count: number, options?: KeyOptions): Promise<T[]>;
  pop(key: Key, count?: number, options: KeyOptions = NO_OPTIONS): Promise<unknown> {
    return this.#some("pop", key, count, options);
  }

  /**
   * Returns a random member, up to `count` different ones, or with a negative `count` exactly that many, which may repeat
   * (`SRANDMEMBER`).
   * @returns the member, `undefined` from an empty set; with `count` an array
   * @throws {DecodeError}
   */
  random<T = unknown>(key: Key): Promise<T | undefined>;
  random<T = unknown>(key: Key, count: undefined, options?: KeyOptions): Promise<T | undefined>;
  random<T = unknown>(key: Key, count: number, options?: KeyOptions): Promise<T[]>;
  random(key: Key, count?: number, options: KeyOptions = NO_OPTIONS): Promise<unknown> {
    return this.#some("random", key, count, options);
  }

  /**
   * One page of members (`SSCAN`). Start with the cursor `"0"`, and continue with the returned one until it is `"0"` again.
   * @throws {DecodeError}
   */
  scan(key: Key, cursor = "0", options: ScanSetOptions = NO_OPTIONS): Promise<SetPage> {
    return this.#onKey("scan", key, options, { cursor: "0", members: [] }, (stored) => {
      checkCursor(cursor);
      return this.#scan(stored, cursor, options);
    });
  }

  /**
   * Every member, page by page. A member that is added or deleted meanwhile may be missed or come twice.
   * @throws {DecodeError}
   * @example
   * for await (const name of cache.sets.iterate<string>("online", { match: '"a*' })) console.log(name);
   */
  async *iterate<T = unknown>(key: Key, options: ScanSetOptions = NO_OPTIONS): AsyncIterable<T> {
    const stored = this.#parts.keys.stored(key, checked("sets.iterate", options));
    const pages = this.#parts.calls.guardEach("sets.iterate", stored, this.#pages(stored, options));
    for await (const members of pages) yield* members as T[];
  }

  #some(method: "pop" | "random", key: Key, count: number | undefined, options: KeyOptions): Promise<unknown> {
    const [command, sendOptions] = method === "pop" ? ["SPOP"] : ["SRANDMEMBER", READ];
    const otherwise = count === undefined ? undefined : [];
    return this.#onKey<unknown>(method, key, options, otherwise, (stored) => {
      if (count === undefined) return this.#single([command, stored], stored, sendOptions);
      checkCount(count, { negative: method === "random" });
      return this.#list([command, stored, String(count)], stored, sendOptions);
    });
  }

  #onKey<T>(
    method: SetMethod,
    key: Key,
    options: KeyOptions,
    otherwise: T,
    call: (stored: string) => Promise<T>,
  ): Promise<T> {
    return this.#parts.calls.onKey(`sets.${method}`, key, options, otherwise, call);
  }

  #guard<T>(method: string, key: string, otherwise: T, work: () => Promise<T>, count = 1): Promise<T> {
    return this.#parts.calls.guard(`sets.${method}`, key, otherwise, work, count);
  }

  #change(command: "SADD" | "SREM", stored: string, members: readonly unknown[]): Promise<number> {
    return this.#encoded(stored, members, async (connection, encoded) => {
      let changed = 0;
      await inBatches(encoded, async (batch) => {
        changed += Number(await sendTyped(connection, [command, stored, ...batch]));
      });
      return changed;
    });
  }

  #hasMany(stored: string, members: readonly unknown[]): Promise<boolean[]> {
    return this.#encoded(stored, members, async (connection, encoded) => {
      const are: boolean[] = [];
      await inBatches(encoded, async (batch) => {
        const one = (member: Encoded) => sendTyped(connection, ["SISMEMBER", stored, member], READ);
        const reply = await sendTyped(connection, ["SMISMEMBER", stored, ...batch], READ).catch((error: unknown) =>
          // Servers before 6.2 don't have it.
          error instanceof UnavailableError ? Promise.all(batch.map(one)) : Promise.reject(error),
        );
        are.push(...(Array.isArray(reply) ? reply : []).map((is) => is === 1));
      });
      return are;
    });
  }

  #move(from: string, to: string, member: unknown): Promise<boolean> {
    const send = async (connection: Connection, [encoded = ""]: readonly Encoded[]): Promise<boolean> =>
      (await sameSlot([from, to], sendTyped(connection, ["SMOVE", from, to, encoded]))) === 1;
    return this.#encoded(from, [member], send);
  }

  /** Encodes members, and sends commands with them in the order of the calls. @throws {EncodeError} */
  #encoded<R>(
    stored: string,
    members: readonly unknown[],
    send: (connection: Connection, encoded: readonly Encoded[]) => Promise<R>,
  ): Promise<R> {
    const { connection, settings } = this.#parts;
    return connection.inOrder(settings.codec.encodeAll(members.map((member) => [stored, member] as const)), send);
  }

  async *#pages(stored: string, options: ScanSetOptions): AsyncIterable<unknown[]> {
    for (let page: SetPage | undefined; page?.cursor !== "0"; ) {
      page = await this.#scan(stored, page?.cursor ?? "0", options);
      yield page.members;
    }
  }

  async #scan(stored: string, cursor: string, options: ScanSetOptions): Promise<SetPage> {
    const { match, scanCount = this.#parts.settings.scanCount } = options;
    const matching = match === undefined ? [] : ["MATCH", match];
    const reply = await this.#reply(["SSCAN", stored, cursor, "COUNT", String(scanCount), ...matching], SCAN);
    const [next, members = null] = Array.isArray(reply) ? reply : [];
    return {
      cursor: next instanceof Uint8Array ? toText(next) : "0",
      members: await this.#decode(throwIfError(members), stored),
    };
  }

  async #combine<T>(what: Combination, keys: Iterable<Key>, options: KeyOptions): Promise<Set<T>> {
    const stored = this.#storedAll(keys, checked(`sets.${what}`, options));
    const members = () => sameSlot(stored, this.#list([COMMANDS[what], ...stored], stored.join(" "), READ));
    return toSet<T>(await this.#guard(what, "", [], members, stored.length));
  }

  async #combineInto(what: Combination, destination: Key, keys: Iterable<Key>, given: StoreOptions): Promise<number> {
    const { versionDestination, versionKeys, ...options } = checked(`sets.${what}Store`, given);
    this.#parts.keys.version(options);
    const at = (version: number | undefined): KeyOptions => (version === undefined ? options : { ...options, version });
    const to = this.#parts.keys.stored(destination, at(versionDestination));
    const stored = this.#storedAll(keys, at(versionKeys));
    const size = () => sameSlot([to, ...stored], this.#number([`${COMMANDS[what]}STORE`, to, ...stored]));
    return this.#guard(`${what}Store`, to, 0, size);
  }

  #storedAll(keys: Iterable<Key>, options: KeyOptions): string[] {
    const stored = this.#parts.keys.storedAll(several(keys, "keys"), options);
    if (stored.length === 0) throw new TypeError("keys: there are none; give at least one");
    return stored;
  }

  async #decode(reply: Reply, stored: string): Promise<unknown[]> {
    const members: unknown[] = [];
    for (const [i, member] of (Array.isArray(reply) ? reply : []).entries()) {
      if (i > 0 && i % BATCH_SIZE === 0) await nextTurn();
      members.push(await decodeOne(this.#parts.settings.codec, member, stored));
    }
    return members;
  }

  async #single(command: Command, stored: string, options?: SendOptions): Promise<unknown> {
    return decodeOne(this.#parts.settings.codec, await this.#reply(command, options), stored);
  }

  async #list(command: Command, stored: string, options?: SendOptions): Promise<unknown[]> {
    return this.#decode(await this.#reply(command, options), stored);
  }

  async #number(command: Command, options?: SendOptions): Promise<number> {
    return Number(await this.#reply(command, options));
  }

  /** @throws {ReplyError} */
  #reply(command: Command, options?: SendOptions): Promise<Reply> {
    return sendTyped(this.#parts.connection, command, options);
  }
}

function toSet<T>(members: unknown[]): Set<T> {
  return new Set(members as T[]);
}
