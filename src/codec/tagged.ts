import { DecodeError, show } from "../core/errors.js";
import { toBytes } from "../core/text.js";
import type { Encoded } from "./envelope.js";

/*
 * The payload of an entry with tags. It is always in an envelope. All but the value is ASCII, so that text stays text.
 *
 *   0–1    magic 0x11 0x54: begins no encoded value, as codec/envelope.ts explains for its own
 *   2–9    epoch of the purge log, or spaces without a stamp
 *   10–25  number of the last purge before the value was loaded
 *   26–28  how many labels there are
 *   29–    the labels, of 12 characters each
 *   …      the encoded value
 */
const MAGIC = "\x11T";
/** The first character of a payload with tags. */
export const TAGGED_CODE = 0x11;
const LABELS_AT = 29;
const LABEL = 12;
const EPOCH_END = 10;
const NUMBER_END = 26;
const NO_EPOCH = " ".repeat(8);
/** The most bytes before an encoded value. */
export const MAX_TAGGED_HEAD = LABELS_AT + LABEL * 999;

/** A position of the purge log. */
type Stamp = readonly [epoch: string, position: number];

/** A position that is not known: every reader finds the entry stale. */
export const NO_STAMP: Stamp = [NO_EPOCH, 0];

/** What an entry with tags holds. */
export interface Tagged {
  /** Where the purge log was before the value was loaded; absent when that is not known, and then every reader finds the entry stale. */
  readonly stamp: Stamp | undefined;
  readonly labels: readonly string[];
  readonly payload: Encoded;
}

/** Whether the payload of an envelope begins with tags. */
export function isTagged(payload: Encoded): boolean {
  return typeof payload === "string" ? payload.startsWith(MAGIC) : payload[0] === 0x11 && payload[1] === 0x54;
}

/** How many bytes are before the value in a payload with tags, by its first 29 bytes; `NaN` where those are malformed. */
export function taggedHeadLength(payload: Uint8Array): number {
  return LABELS_AT + LABEL * Number(textIn(payload, NUMBER_END, LABELS_AT));
}

/** Tags and an encoded value: text for a text value, bytes for a binary one. */
export function tagged({ stamp, labels, payload }: Tagged): Encoded {
  const [epoch, position] = stamp ?? NO_STAMP;
  const head = MAGIC + epoch + String(position).padStart(16, "0") + String(labels.length).padStart(3, "0");
  const text = head + labels.join("");
  if (typeof payload === "string") return text + payload;
  const bytes = new Uint8Array(text.length + payload.length);
  bytes.set(toBytes(text));
  bytes.set(payload, text.length);
  return bytes;
}

/** @throws {DecodeError} naming `key`, when what is before the value is malformed */
export function readTagged(stored: Encoded, key: string): Tagged {
  const head = typeof stored === "string" ? stored : String.fromCharCode(...stored.subarray(0, LABELS_AT));
  const epoch = head.slice(MAGIC.length, EPOCH_END);
  const position = Number(head.slice(EPOCH_END, NUMBER_END));
  const count = Number(head.slice(NUMBER_END, LABELS_AT));
  const end = LABELS_AT + count * LABEL;
  // Not a number where there are no digits.
  if (!(position >= 0 && count > 0 && stored.length >= end)) {
    throw new DecodeError(`key ${show(key)}: what it holds of its tags is malformed; delete the key`);
  }
  return new ReadTagged(epoch === NO_EPOCH ? undefined : [epoch, position], stored, end);
}

/** Reads the labels when they are asked for: most entries are known to be good without them. */
class ReadTagged implements Tagged {
  readonly stamp: Stamp | undefined;
  readonly payload: Encoded;
  readonly #stored: Encoded;
  readonly #end: number;
  #labels: readonly string[] | undefined;

  constructor(stamp: Stamp | undefined, stored: Encoded, end: number) {
    this.stamp = stamp;
    this.payload = typeof stored === "string" ? stored.slice(end) : stored.subarray(end);
    this.#stored = stored;
    this.#end = end;
  }

  get labels(): readonly string[] {
    this.#labels ??= textIn(this.#stored, LABELS_AT, this.#end).match(/.{12}/gs) ?? [];
    return this.#labels;
  }
}

function textIn(stored: Encoded, start: number, end: number): string {
  return typeof stored === "string" ? stored.slice(start, end) : String.fromCharCode(...stored.subarray(start, end));
}
