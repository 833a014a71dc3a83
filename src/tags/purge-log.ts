import type { Command, Connection, Reply, Script, SendOptions } from "../core/connection.js";
import { throwIfError } from "../core/errors.js";
import type { NearReads } from "../core/near.js";
import { randomText } from "../core/text.js";
import { script, text } from "../lease/state.js";

/*
 * Each cache has one log of purges by label, the oldest first. A stored response with labels carries a stamp: the position
 * of the log before its request went to the origin. Only later purges apply to it. No clocks are compared, and there is no
 * index of the responses of a label. A record is text of fixed length:
 *
 *   0–11   hash of the label
 *   12     "h" hard, "s" soft, "-" for the record that a log begins with
 *   13–20  the log's epoch: random, drawn when the log is begun
 *   21–31  the record's number, from 0 on
 *
 * A full log drops its older half. A response whose stamp is older than the rest of the log, or of another epoch because the
 * log was evicted, counts as softly purged.
 */
const RECORD = 32;
/** How many records a log has at most. */
const MAX_RECORDS = 1_024;

/** A position of the log: its epoch, and the number of the next record. */
export type Stamp = readonly [epoch: string, position: number];

/** Whether a purge applies to a response: not at all, softly, or hard. */
export type Verdict = "good" | "soft" | "hard";

/** A command that reads the log. */
export interface LogRead {
  readonly command: Command;
  /** The number of the record that the reply begins with; `undefined` when all of the log was asked for. */
  readonly expected: number | undefined;
  /** How many reads there were before. */
  readonly before: number;
  /** Whether the log is known to be as it was before the command was sent; absent without a near cache. */
  readonly isUnchanged: (() => boolean) | undefined;
}

interface Known {
  readonly epoch: string;
  /** The number of the oldest record that is left. */
  readonly floor: number;
  /** The number of the next record. */
  next: number;
  /** By label: the numbers of its last records. */
  readonly hard: Map<string, number>;
  readonly soft: Map<string, number>;
}

/**
 * Where the log of a cache is found: with its settings, so that all views of the cache and the HTTP cache in front of it share
 * one. It has no log until tags are used first: code that every program carries imports only this type.
 */
export interface LogPlace {
  readonly key: () => string;
  log: PurgeLog | undefined;
}

/** The log of a cache, made when it is first asked for. */
export function purgeLogOf(place: LogPlace): PurgeLog {
  place.log ??= new PurgeLog(place.key(), MAX_RECORDS);
  return place.log;
}

/** The part of the log that this process has read. Plain data, so that invocations may share it. */
export class PurgeLog {
  readonly key: string;
  /** Labels are in use, so every round trip reads the new records. */
  inUse = false;
  /** How often it was read. */
  reads = 0;
  readonly #maxRecords: number;
  #known: Known | "none" | undefined;
  #begun = 0;
  /** The read that was sent last, of those whose reply is known. */
  #newest = -1;
  /** As the last read has it. */
  #isUnchanged: (() => boolean) | undefined;

  constructor(key: string, maxRecords: number) {
    this.key = key;
    this.#maxRecords = maxRecords;
  }

  /** Whether the next round trip should read the log. */
  get isWanted(): boolean {
    return this.#known === undefined || (this.inUse && !this.isCurrent);
  }

  /** Whether the log is known to be as it was last read, so that it need not be read again. */
  get isCurrent(): boolean {
    return this.#known !== undefined && this.#isUnchanged?.() === true;
  }

  /** The position after the last read; `undefined` when the log was empty or never read. */
  get stamp(): Stamp | undefined {
    return typeof this.#known === "object" ? [this.#known.epoch, this.#known.next] : undefined;
  }

  /**
   * Reads from the last known record on. That record tells whether the log is still the same.
   * @param near where reads are answered from the process
   */
  read(near: NearReads | undefined): LogRead {
    const known = typeof this.#known === "object" ? this.#known : undefined;
    const expected = known && known.next > known.floor ? known.next - 1 : undefined;
    const start = known && expected !== undefined ? (expected - known.floor) * RECORD : 0;
    return this.#begin(start, expected, near);
  }

  #begin(start: number, expected: number | undefined, near?: NearReads): LogRead {
    const command = ["GETRANGE", this.key, String(start), "-1"] as const;
    return { command, expected, before: this.#begun++, isUnchanged: near?.watch(this.key) };
  }

  /** Adds what was read. @returns `false` when the whole log must be read again @throws {ReplyError} */
  apply(read: LogRead, reply: Reply): boolean {
    const records = parse(text(throwIfError(reply)));
    this.reads++;
    // A read that was sent later has seen all that this one has.
    if (read.before < this.#newest && this.#known !== undefined) return true;
    this.#newest = read.before;
    if (!this.#add(read.expected, records)) return false;
    this.#isUnchanged = read.isUnchanged;
    return true;
  }

  #add(expected: number | undefined, records: readonly Record[]): boolean {
    const [first] = records;
    if (expected === undefined) {
      this.#known = first ? begin(first) : "none";
    } else if (!first || typeof this.#known !== "object") return this.#forget();
    else if (first.epoch !== this.#known.epoch || first.number !== expected) return this.#forget();
    if (typeof this.#known === "object") add(this.#known, records);
    if (typeof this.#known === "object" && this.#known.next - this.#known.floor > 2 * this.#maxRecords) this.#forget();
    return true;
  }

  #forget(): false {
    this.#known = undefined;
    return false;
  }

  verdict(labels: readonly string[], stamp: Stamp | undefined): Verdict {
    const known = this.#known;
    if (typeof known !== "object" || !stamp) return "soft";
    const [epoch, position] = stamp;
    if (epoch !== known.epoch) return "soft";
    const since = (last: ReadonlyMap<string, number>): boolean =>
      labels.some((label) => (last.get(label) ?? -1) >= position);
    if (since(known.hard)) return "hard";
    return position < known.floor || since(known.soft) ? "soft" : "good";
  }

  /** A stamp for what is stored now, where there was no log before its request went to the origin. @throws {ConnectionError} @throws {ReplyError} */
  async begin(connection: Connection): Promise<Stamp | undefined> {
    const epoch = randomText(8);
    const first = `${"-".repeat(13)}${epoch}${"0".repeat(11)}`;
    const read = this.#begin(0, undefined);
    const [set = null, reply = null] = await connection.send([["SET", this.key, first, "NX"], read.command]);
    throwIfError(set);
    this.apply(read, reply);
    // Another process has begun the log meanwhile: all its records apply to the response.
    return this.stamp && [this.stamp[0], this.stamp[0] === epoch ? 1 : 0];
  }

  /** Appends a purge of labels. @param hashes of the labels @throws {ConnectionError} @throws {ReplyError} */
  async append(connection: Connection, hashes: readonly string[], soft: boolean): Promise<void> {
    const records = hashes.map((hash) => `${hash}${soft ? "s" : "h"}`);
    await connection.script(APPEND, [this.key], [randomText(8), String(this.#maxRecords), ...records]);
  }
}

const READ = { readOnly: true };

/** Sends commands and, in the same round trip, reads the new records of the purge log. */
export async function sendWithLog(
  connection: Connection,
  log: PurgeLog,
  commands: readonly Command[],
  options: SendOptions,
): Promise<Reply[]> {
  const read: LogRead | undefined = log.isWanted ? log.read(connection.near) : undefined;
  if (!read) return connection.send(commands, options);
  const replies = await connection.send([...commands, read.command], options);
  if (!log.apply(read, replies[commands.length] ?? null)) await readLog(connection, log);
  return replies;
}

/** Reads the purge log: the new records, or all of it where it is another log than before. */
export async function readLog(connection: Connection, log: PurgeLog): Promise<void> {
  for (let tries = 0; tries < 2; tries++) {
    const read = log.read(connection.near);
    const [reply = null] = await connection.send([read.command], READ);
    if (log.apply(read, reply)) return;
  }
}

interface Record {
  readonly label: string;
  readonly kind: string;
  readonly epoch: string;
  readonly number: number;
}

function parse(log: string): Record[] {
  return Array.from({ length: Math.floor(log.length / RECORD) }, (_none, i) => {
    const at = i * RECORD;
    return {
      label: log.slice(at, at + 12),
      kind: log.slice(at + 12, at + 13),
      epoch: log.slice(at + 13, at + 21),
      number: Number(log.slice(at + 21, at + RECORD)),
    };
  });
}

function begin({ epoch, number }: Record): Known {
  return { epoch, floor: number, next: number, hard: new Map(), soft: new Map() };
}

/** Replies may arrive out of order, so records that are already known are skipped. */
function add(known: Known, records: readonly Record[]): void {
  for (const { label, kind, number } of records) {
    if (number < known.next) continue;
    known.next = number + 1;
    if (kind === "h") known.hard.set(label, number);
    if (kind === "s") known.soft.set(label, number);
  }
}

/** ARGV: an epoch, where the log is to be begun; how many records it may have; hashes, each with its kind. Reply: the next number. */
const APPEND: Script = script(
  "http purge",
  `local last = redis.call('GETRANGE', KEYS[1], -32, -1)
local epoch, number = ARGV[1], -1
if #last == 32 then epoch, number = string.sub(last, 14, 21), tonumber(string.sub(last, 22, 32)) end
local added = {}
for i = 3, #ARGV do
  number = number + 1
  added[#added + 1] = ARGV[i] .. epoch .. string.format('%011.0f', number)
end
local length = redis.call('APPEND', KEYS[1], table.concat(added))
if length > ARGV[2] * 32 then
  redis.call('SET', KEYS[1], redis.call('GETRANGE', KEYS[1], -32 * math.floor(ARGV[2] / 2), -1))
end
return number + 1`,
  (call, [key = ""], [newEpoch = "", max = "0", ...records]) => {
    const last = text(call("GETRANGE", key, "-32", "-1"));
    const epoch = last.length === RECORD ? last.slice(13, 21) : text(newEpoch);
    let number = last.length === RECORD ? Number(last.slice(21)) : -1;
    const added = records.map((record) => `${text(record)}${epoch}${String(++number).padStart(11, "0")}`);
    const length = Number(call("APPEND", key, added.join("")));
    const most = Number(text(max));
    if (length > most * RECORD) {
      const kept = call("GETRANGE", key, String(-RECORD * Math.floor(most / 2)), "-1");
      call("SET", key, text(kept));
    }
    return number + 1;
  },
);
