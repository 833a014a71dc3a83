import { LRUCache } from "lru-cache";
import type { Reply } from "../../core/connection.js";
import { ReplyError } from "../../core/errors.js";
import type { Clock } from "../../core/time.js";
import { type Args, refusals } from "./arguments.js";
import { type Bulk, nameLength } from "./bulk.js";
import type { Fields, Members, Scores } from "./values.js";

/** The value of a key. Each type knows its size in bytes. */
export type Value = Bulk | Members | Fields | Scores;

export interface Entry<V extends Value = Value> {
  readonly value: V;
  /** `Infinity` when it never expires. */
  readonly expiresAtMs: number;
}

export interface Limits {
  /** In bytes, for keys, values and an overhead for each entry. */
  readonly maxSize: number;
  readonly maxEntries: number;
}

/** The memory of an entry beside its key and value, in bytes. Measured on Node 24. */
const ENTRY_OVERHEAD = 240;

/** Keys and values. A full store evicts the least recently used entries; expired entries are removed on access. */
export class Store {
  readonly clock: Clock;
  readonly #entries: LRUCache<string, Entry>;
  readonly #maxSize: number;
  readonly #maxEntries: number;
  #nowMs = 0;
  #microseconds = 0;

  constructor(clock: Clock, { maxSize, maxEntries }: Limits) {
    this.clock = clock;
    this.#maxSize = maxSize;
    this.#maxEntries = maxEntries;
    this.#entries = new LRUCache<string, Entry>({
      maxSize,
      sizeCalculation: (entry, key) => sizeOf(key, entry.value.byteLength),
    });
  }

  /** Reads the clock. The time then stays fixed until the next call, so that all commands of one batch agree. */
  tick(): void {
    const nowMs = this.clock.now();
    if (nowMs !== this.#nowMs) this.#microseconds = 0;
    this.#nowMs = nowMs;
  }

  /** Counts the calls in this millisecond, up to its last microsecond. */
  nextMicrosecond(): number {
    return Math.min(this.#microseconds++, 999);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** The entry, if it has not expired. Counts as use. */
  get(key: string): Entry | undefined {
    return this.#live(key, this.#entries.get(key));
  }

  /** As `get`, for one type of value. @throws {ReplyError} WRONGTYPE */
  find<V extends Value>(key: string, kind: Kind<V>): Entry<V> | undefined {
    const entry = this.get(key);
    if (entry === undefined) return undefined;
    if (!holds(entry, kind)) throw refusals.wrongType();
    return entry;
  }

  /** As `get`, but does not count as use. */
  peek(key: string): Entry | undefined {
    return this.#live(key, this.#entries.peek(key));
  }

  /** @throws {ReplyError} OOM when the entry would not fit even alone; the store is then unchanged */
  put(key: string, value: Value, expiresAtMs = Number.POSITIVE_INFINITY): void {
    this.checkRoom(key, value.byteLength);
    this.#entries.set(key, { value, expiresAtMs });
    if (this.#entries.size > this.#maxEntries) this.#entries.pop();
  }

  /** @throws {ReplyError} OOM when a value of `byteLength` bytes would not fit even alone */
  checkRoom(key: string, byteLength: number): void {
    const size = sizeOf(key, byteLength);
    if (size <= this.#maxSize) return;
    throw new ReplyError(
      "OOM",
      `an entry of ${size} bytes does not fit into maxSize, ${this.#maxSize} bytes; give memory() a larger maxSize`,
    );
  }

  delete(key: string): boolean {
    return this.peek(key) !== undefined && this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** All keys that have not expired, in no particular order. */
  keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.peek(key) !== undefined);
  }

  #live(key: string, entry: Entry | undefined): Entry | undefined {
    if (entry === undefined || this.#nowMs <= entry.expiresAtMs) return entry;
    this.#entries.delete(key);
    return undefined;
  }
}

/** The class of a value. */
type Kind<V extends Value> = { readonly prototype: V; [Symbol.hasInstance](value: unknown): boolean };

function holds<V extends Value>(entry: Entry, kind: Kind<V>): entry is Entry<V> {
  return entry.value instanceof kind;
}

function sizeOf(key: string, byteLength: number): number {
  return ENTRY_OVERHEAD + nameLength(key) + byteLength;
}

/** A reply whose bulk strings are not converted yet. */
export type Answer = Exclude<Reply, Uint8Array | Reply[]> | Bulk | Answer[];

/** @throws {ReplyError} when the server would reply with an error */
export type Run = (store: Store, args: Args) => Answer;

/** Commands by name. The arity includes the name; a negative arity is a minimum. */
export type CommandTable = Readonly<Record<string, readonly [arity: number, run: Run]>>;
