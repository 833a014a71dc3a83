import { LRUCache } from "lru-cache";
import { ReplyError } from "../../core/errors.js";
import type { Clock } from "../../core/time.js";
import { refusals } from "./arguments.js";
import { type Bulk, nameLength } from "./bulk.js";
import type { Fields, Members } from "./values.js";

/** What a key holds. Each knows its size in bytes. */
export type Value = Bulk | Members | Fields;

export interface Entry<V extends Value = Value> {
  readonly value: V;
  /** `Infinity` when it never expires. */
  readonly expiresAtMs: number;
}

export interface Limits {
  /** In bytes, of keys and values and an overhead for each entry. */
  readonly maxSize: number;
  readonly maxEntries: number;
}

/** What an entry costs beside its key and value, in bytes, as measured on Node 24. */
const ENTRY_OVERHEAD = 240;

/** The keys and what they hold: the least recently used go when room is needed, the expired when they are come upon. */
export class Store {
  readonly clock: Clock;
  readonly #entries: LRUCache<string, Entry>;
  readonly #maxSize: number;
  readonly #maxEntries: number;
  #nowMs = 0;

  constructor(clock: Clock, { maxSize, maxEntries }: Limits) {
    this.clock = clock;
    this.#maxSize = maxSize;
    this.#maxEntries = maxEntries;
    this.#entries = new LRUCache<string, Entry>({
      maxSize,
      sizeCalculation: (entry, key) => sizeOf(key, entry.value.byteLength),
    });
  }

  /** Looks at the clock. Until the next call time stands still, so that the commands of one flight agree. */
  tick(): void {
    this.#nowMs = this.clock.now();
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** The entry, if it is alive. Counts as use. */
  get(key: string): Entry | undefined {
    return this.#live(key, this.#entries.get(key));
  }

  /** As `get`, for those who want one kind of value. @throws {ReplyError} WRONGTYPE */
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

  /** @throws {ReplyError} OOM when it would not fit even alone; then nothing has changed */
  put(key: string, value: Value, expiresAtMs = Number.POSITIVE_INFINITY): void {
    this.checkRoom(key, value.byteLength);
    this.#entries.set(key, { value, expiresAtMs });
    if (this.#entries.size > this.#maxEntries) this.#entries.pop();
  }

  /** @throws {ReplyError} OOM when a value of so many bytes would not fit even alone */
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

  /** All live keys at this moment, in no particular order. */
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
