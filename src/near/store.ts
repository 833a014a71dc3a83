import type { IsUnchanged, Known, LogReader } from "../core/near.js";
import type { Elapsed } from "./elapsed.js";
import type { Feed } from "./feed.js";
import { isTrusted, type Source } from "./source.js";

/** A read on its way to the server. Its reply may be kept while the mark is valid. */
export interface Mark {
  readonly key: string;
  readonly source: Source;
  readonly sentMs: number;
  /** No change of the entry was heard of since the mark was made. */
  isValid: boolean;
  /** How many reads share it. */
  reads: number;
  /** What is published of the entry, where it is a log that is watched. */
  feed: Feed | undefined;
}

interface Entry extends Known {
  readonly size: number;
  /** When its lifetime ends, by `Elapsed`. */
  readonly untilMs: number;
  readonly source: Source;
}

/** What drops the least recently used of its entries to make room, as lru-cache does. Its own declarations need those of Node. */
export interface EntryList {
  readonly size: number;
  readonly calculatedSize: number;
  get(key: string): Entry | undefined;
  set(key: string, entry: Entry): unknown;
  delete(key: string): boolean;
}

export type EntryListClass = new (options: {
  readonly maxSize: number;
  readonly max: number;
  readonly sizeCalculation: (entry: Entry) => number;
  readonly dispose: (entry: Entry, key: string, reason: string) => void;
}) => EntryList;

export interface StoreLimits {
  /** In bytes. */
  readonly maxSize: number;
  /** 0 for no limit. */
  readonly maxEntries: number;
  /** The longest lifetime of an entry here, in milliseconds. */
  readonly ttlMs: number;
  readonly maxStalenessMs: number;
  /** How much memory a value takes that is decoded and shared, as a multiple of its encoded size. */
  readonly weight: number;
}

/** The memory of an entry beside its key and what is stored, in bytes. Measured on Node 24. */
const OVERHEAD = 430;
/** What bytes take beside themselves: an array, and the buffer behind it. */
const OVERHEAD_OF_BYTES = 200;

/**
 * What one cache knows of its entries, with the rules of when that may be answered.
 *
 * A read makes a mark before it is sent. Whoever hears of a change, or makes one, ends the mark and drops the entry. The
 * reply is kept only while its mark is valid, so no value is kept that a change has overtaken.
 */
export class NearStore {
  readonly limits: StoreLimits;
  readonly #time: Elapsed;
  #List: EntryListClass | undefined;
  /** Absent until `open`. */
  #entries: EntryList | undefined;
  readonly #onEvict: (key: string) => void;
  readonly #marks = new Map<string, Mark>();
  /** Keys of this process's own writes in progress, with the number of these. */
  readonly #writes = new Map<string, number>();
  /** Writes in progress that may change any key. */
  #writesOfAll = 0;

  /** @param onEvict called with the key of each entry that was dropped to make room */
  constructor(limits: StoreLimits, time: Elapsed, onEvict: (key: string) => void = () => {}) {
    this.limits = limits;
    this.#time = time;
    this.#onEvict = onEvict;
  }

  /** Entries are kept from now on, in a list of this class, which is loaded late. */
  open(List: EntryListClass): void {
    const { maxSize, maxEntries } = this.limits;
    this.#List = List;
    this.#entries = new List({
      maxSize,
      max: maxEntries,
      sizeCalculation: ({ size }) => size,
      dispose: (_entry, key, reason) => {
        if (reason === "evict") this.#onEvict(key);
      },
    });
  }

  get entries(): number {
    return this.#entries?.size ?? 0;
  }

  get size(): number {
    return this.#entries?.calculatedSize ?? 0;
  }

  /**
   * The entry of a key, while it may be answered.
   * @param nowMs the clock is read before the entry, as it drops all entries where it was set back
   */
  recall(key: string, nowMs = this.#time.now()): Known | undefined {
    const entry = this.#entries?.get(key);
    if (entry === undefined) return undefined;
    const { source, untilMs } = entry;
    if (nowMs < untilMs && isTrusted(source, nowMs, this.limits.maxStalenessMs)) return entry;
    // The listener may still confirm an entry that is not over.
    if (nowMs >= untilMs || source.isOver) this.#entries?.delete(key);
    return undefined;
  }

  /** Before a read is sent. @returns `undefined` when its reply must not be kept */
  mark(key: string, source: Source): Mark | undefined {
    if (this.#writesOfAll > 0 || this.#writes.has(key) || source.isOver) return undefined;
    const known = this.#marks.get(key);
    if (known?.source === source) {
      known.reads++;
      return known;
    }
    // Of another source: its reads have their own mark, which nothing would end any more.
    if (known) known.isValid = false;
    const mark: Mark = { key, source, sentMs: this.#time.now(), isValid: true, reads: 1, feed: undefined };
    this.#marks.set(key, mark);
    return mark;
  }

  /** When a read has ended, in whatever way. */
  release(mark: Mark): void {
    mark.reads--;
    if (mark.reads === 0 && this.#marks.get(mark.key) === mark) this.#marks.delete(mark.key);
  }

  /**
   * Whether a marked entry is as it was, from now on: see `NearReads.watch`. A mark that is watched is not released.
   * @param follow begins to hear what is published of it, for this reader
   */
  watch(mark: Mark, reader?: LogReader, follow?: () => Feed | undefined): IsUnchanged {
    const { source } = mark;
    const { maxStalenessMs } = this.limits;
    // What an earlier feed did not hear of is in what is read from now on.
    if (mark.feed?.reader !== reader || mark.feed?.isOver) mark.feed = follow?.();
    const { feed } = mark;
    // Without notifications only time ends it.
    const isProved = source.confirmedMs !== Number.POSITIVE_INFINITY;
    const untilMs = isProved ? Number.POSITIVE_INFINITY : this.#time.now() + maxStalenessMs;
    return (nowMs = this.#time.now()) =>
      mark.isValid &&
      mark.feed === feed &&
      isTrusted(source, nowMs, maxStalenessMs) &&
      nowMs < untilMs &&
      feed?.isWhole() !== false;
  }

  /** What was published of an entry, as `source` was sent it. */
  hear(key: string, message: string, source: Source): void {
    const mark = this.#marks.get(key);
    if (mark?.source === source) mark.feed?.hear(message);
  }

  /** Whether no change of the marked entry was heard of, and would have been heard of. */
  isValid(mark: Mark): boolean {
    // Where the clock was set back, reading it ends all marks.
    const nowMs = this.#time.now();
    return mark.isValid && isTrusted(mark.source, nowMs, this.limits.maxStalenessMs);
  }

  /**
   * Keeps the reply to a marked read, if it may be kept.
   * @param leftMs what was left of the entry's lifetime; `Infinity` when it never expires
   * @param sentMs when this read was sent, by `Elapsed`
   */
  keep(mark: Mark, stored: string | Uint8Array, leftMs: number, sentMs: number): void {
    const { key, source } = mark;
    if (!this.isValid(mark)) return;
    const { ttlMs, maxStalenessMs, weight } = this.limits;
    // Entries without notifications stay no longer than they may be stale.
    const mostMs = source.confirmedMs === Number.POSITIVE_INFINITY ? Math.min(ttlMs, maxStalenessMs) : ttlMs;
    const untilMs = sentMs + Math.min(leftMs, mostMs);
    if (this.#time.now() >= untilMs) return;
    const size = OVERHEAD + sizeOf(key) + sizeOf(stored) * weight;
    this.#entries?.set(key, { stored, derived: undefined, derivedBy: undefined, size, untilMs, source });
  }

  /** The server has notified of a change of the entry. @returns whether there was one */
  changed(key: string): boolean {
    return this.#marks.get(key)?.feed?.explainsChange() !== true && this.drop(key);
  }

  /** The entry has changed, or may have. @returns whether there was one */
  drop(key: string): boolean {
    const mark = this.#marks.get(key);
    if (mark) {
      mark.isValid = false;
      this.#marks.delete(key);
    }
    return this.#entries?.delete(key) ?? false;
  }

  /** Any entry may have changed. @returns how many there were */
  dropAll(): number {
    for (const mark of this.#marks.values()) mark.isValid = false;
    this.#marks.clear();
    const size = this.entries;
    // Clearing very many one by one would hold the event loop.
    if (size > 0 && this.#List) this.open(this.#List);
    return size;
  }

  /** A write of this process begins. Until it has ended, no read of its key is kept, as it may have come before it. */
  beginWrite(key: string): void {
    this.#writes.set(key, (this.#writes.get(key) ?? 0) + 1);
    this.drop(key);
  }

  endWrite(key: string): void {
    const left = (this.#writes.get(key) ?? 1) - 1;
    if (left > 0) this.#writes.set(key, left);
    else this.#writes.delete(key);
    this.drop(key);
  }

  beginWriteOfAll(): void {
    this.#writesOfAll++;
    this.dropAll();
  }

  endWriteOfAll(): void {
    this.#writesOfAll--;
    this.dropAll();
  }
}

const WIDE = /[^\0-\xff]/;

/** In bytes of memory: V8 keeps text in one byte for each character, or in two if one of them needs it. */
function sizeOf(stored: string | Uint8Array): number {
  if (typeof stored !== "string") return OVERHEAD_OF_BYTES + stored.byteLength;
  return WIDE.test(stored) ? 2 * stored.length : stored.length;
}
