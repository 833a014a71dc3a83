import { FOREVER, type Header, isEnvelope, readEnvelope } from "../codec/envelope.js";
import { isTagged } from "../codec/tagged.js";
import { chain, type MaybePromise } from "../core/async.js";
import type { CacheCall } from "../core/events.js";
import type { Known, Passes, ValueReader } from "../core/near.js";
import type { EntryTags, OpenedEntry } from "../tags/entry-tags.js";
import type { Tags } from "../tags/tags.js";
import type { Elapsed } from "./elapsed.js";

/** Values of entries: decoded for each caller, or shared and frozen. */
export class Values {
  readonly #shares: boolean;
  readonly #onHit: () => void;
  readonly #tags: Tags;
  readonly #time: Elapsed;

  constructor(shares: boolean, tags: Tags, time: Elapsed, onHit: () => void) {
    this.#shares = shares;
    this.#tags = tags;
    this.#time = time;
    this.#onHit = onHit;
  }

  /**
   * The fresh value of an entry; `undefined` where it is stale, passed over, or can't be decoded.
   * @param nowMs as `Elapsed` has just been read
   */
  fresh(
    known: Known | undefined,
    nowMs: number,
    key: string,
    reader: ValueReader,
    passes?: Passes,
    call?: CacheCall,
  ): MaybePromise<unknown> | undefined {
    if (known === undefined) return undefined;
    const read = readEntry(known, reader, key, this.#tags.met);
    const { payload, freshUntilMs, opened } = read;
    if (payload === undefined || (opened !== undefined && this.#tags.met?.isGood(opened, nowMs) !== true))
      return undefined;
    if (freshUntilMs < FOREVER && (freshUntilMs <= this.#time.wallMs || passes?.(read))) return undefined;
    const value = decodedValue(read, reader, key, this.#shares);
    if (value === undefined) return undefined;
    this.#onHit();
    call?.found(payload.length, read.deltaMs);
    return value;
  }

  /** A value that was not kept, as callers get it. */
  settle<T>(value: MaybePromise<T>): MaybePromise<T> {
    if (!this.#shares) return value;
    return chain(value, (one) => {
      freezeDeeply(one);
      return one;
    });
  }
}

/** What a reader has made of an entry. */
interface ReadEntry extends Pick<Header, "freshUntilMs" | "deltaMs"> {
  /** `undefined` where there is no value that this reader can decode. */
  payload: string | Uint8Array | undefined;
  /** A decoder that takes time has succeeded. */
  isProved: boolean;
  /** The value that all callers share. */
  value: unknown;
  isShared: boolean;
  /** The entry, where it has tags. */
  opened: OpenedEntry | undefined;
}

/** The entry as this reader reads it: made once, and kept with what is known. @param met absent where this process has met no tags */
function readEntry(known: Known, reader: ValueReader, key: string, met: EntryTags | undefined): ReadEntry {
  if (known.derivedBy === reader) return known.derived as ReadEntry;
  const read: ReadEntry = {
    value: undefined,
    isShared: false,
    isProved: false,
    opened: undefined,
    ...headerOf(known.stored, reader, key),
  };
  if (read.payload !== undefined && isTagged(read.payload)) {
    read.opened = met?.tryOpen(read.payload, key);
    read.payload = read.opened?.tagged.payload;
    // Until this process has met tags: then it is opened.
    if (!met) return read;
  }
  known.derived = read;
  known.derivedBy = reader;
  return read;
}

/** The value of an entry, for one caller or for all; `undefined` when it can't be decoded, or that is not known yet. */
function decodedValue(read: ReadEntry, reader: ValueReader, key: string, shares: boolean): MaybePromise<unknown> {
  const { payload } = read;
  if (payload === undefined || read.isShared) return read.value;
  try {
    // A value may have parts of the bytes that it is decoded from, which its caller may change.
    const value = reader.decode(typeof payload === "string" ? payload : payload.slice(), key);
    if (value instanceof Promise && !read.isProved) return prove(read, value, shares);
    return shares ? chain(value, (one) => share(read, one)) : value;
  } catch {
    return undefined;
  }
}

/** The first time the caller decodes for itself, as only its own way can report that it fails, or load the value again. */
function prove(read: ReadEntry, value: Promise<unknown>, shares: boolean): undefined {
  value.then(
    (one) => {
      read.isProved = true;
      if (shares) share(read, one);
    },
    () => {
      read.payload = undefined;
    },
  );
}

function share(read: ReadEntry, value: unknown): unknown {
  if (!freezeDeeply(value)) return value;
  read.value = value;
  read.isShared = true;
  return value;
}

function headerOf(
  stored: string | Uint8Array,
  reader: ValueReader,
  key: string,
): Pick<ReadEntry, "payload" | "freshUntilMs" | "deltaMs"> {
  if (!isEnvelope(stored)) return { payload: stored, freshUntilMs: FOREVER, deltaMs: 0 };
  try {
    const { payload, mark, freshUntilMs, deltaMs } = readEnvelope(stored, key);
    return { payload: mark === reader.mark ? payload : undefined, freshUntilMs, deltaMs };
  } catch {
    return { payload: undefined, freshUntilMs: 0, deltaMs: 0 };
  }
}

/** Freezes a value with all that is in it, if it is made of plain objects, arrays and primitive values. @returns whether it is */
export function freezeDeeply(value: unknown): boolean {
  // A set, as an object may be in several places, and within itself. What is added while it is gone through is gone through, too.
  const objects = new Set<object>();
  if (!add(objects, value)) return false;
  for (const one of objects) {
    if (!isPlain(one)) return false;
    for (const item of Object.values(one)) if (!add(objects, item)) return false;
  }
  for (const one of objects) Object.freeze(one);
  return true;
}

/** @returns whether the value may be part of JSON */
function add(objects: Set<object>, value: unknown): boolean {
  if (typeof value === "object" && value !== null) objects.add(value);
  return typeof value !== "function" && typeof value !== "symbol";
}

function isPlain(one: object): boolean {
  if (Array.isArray(one)) return true;
  const prototype: unknown = Object.getPrototypeOf(one);
  return prototype === Object.prototype || prototype === null;
}
