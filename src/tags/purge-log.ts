import type { Command, Connection, Reply, SendOptions } from "../core/connection.js";
import { ConfigurationError, ReplyError, show, throwIfError } from "../core/errors.js";
import type { IsUnchanged, LogReader, NearReads } from "../core/near.js";
import { randomText } from "../core/text.js";
import { text } from "../lease/state.js";
import {
  add,
  addTogether,
  askedOf,
  begun,
  judged,
  type Known,
  type Labelled,
  MAX_READ,
  note,
  type Verdict,
} from "./known.js";
import {
  ALL_KINDS,
  APPEND,
  MAX_TOGETHER,
  type Reader,
  readTail,
  readTogether,
  recordOf,
  recordOfAll,
  type Tail,
} from "./records.js";

/*
 * Each cache has one log of purges by label; records.ts has its form. What is stored with labels carries a stamp: the epoch of
 * the log, and its last number before the load began. Only later purges apply to it. No clocks are compared, and there is no
 * index of the entries of a label. What was stamped before the floor, or with another epoch because the log was lost, counts as
 * softly purged.
 *
 * A process reads the newest records at first, and then those since, in the round trips of its other reads. For an entry whose
 * stamp is older than what it has read, it asks for the last purges of the entry's labels once.
 *
 * Where a near cache watches the log, a process hears what purges append, and reads nothing while each continues what it knows.
 * The server's notification of a change is then taken for that of the purges that were heard of (see `Feed`). So a purge
 * that could not be published, as its user may not, is appended twice: the notification of the first may be taken for that of
 * a purge that was published beside it, but those that are published before that of the second continue the first, which shows
 * that it is missing. What else may happen to the log beside a purge that was heard of, such as its loss, takes purges away and
 * adds none: until the next purge shows another epoch, the process judges entries by what it knows, which is all there was.
 */

/** How many members a log has at most. */
const MAX_MEMBERS = 500_000;
export const READ = { readOnly: true };

/** A position of the log: its epoch, and the number of its last purge. */
export type Stamp = readonly [epoch: string, number: number];

/** An entry with tags: its stamp is absent when it is not known where the log was before the load. */
export interface Stamped extends Labelled {
  readonly stamp: Stamp | undefined;
}

export type { Verdict } from "./known.js";

/** A command that reads the log. */
export interface LogRead {
  readonly command: Command;
  /** The number after which the reply begins; `undefined` when the newest records were asked for. */
  readonly after: number | undefined;
  /** How many reads there were before. */
  readonly before: number;
  /** Whether the log is known to be as it was before the command was sent; absent without a near cache. */
  readonly isUnchanged: IsUnchanged | undefined;
}

/** How the log is read, and what is sent with that: what is kept in the process must not come from a replica that lags behind. */
export function withRead({ isUnchanged }: Pick<LogRead, "isUnchanged">, options: SendOptions): SendOptions {
  return isUnchanged ? { ...options, primary: true } : options;
}

/**
 * Where the log of a cache is found: with its settings, so that all views of the cache and the HTTP cache in front of it share
 * one. It has no log until tags are used first: code that every program carries imports only this type.
 */
export interface LogPlace {
  readonly key: () => string;
  log: PurgeLog | undefined;
}

/**
 * The log of a cache, made when it is first asked for.
 * @throws {ConfigurationError} when the cache's key function has no key for it
 */
export function purgeLogOf(place: LogPlace): PurgeLog {
  place.log ??= new PurgeLog(keyOf(place));
  return place.log;
}

function keyOf(place: LogPlace): string {
  let key: unknown;
  try {
    key = place.key();
  } catch (cause) {
    key = cause;
  }
  if (typeof key === "string") return key;
  throw new ConfigurationError(`keyFunction: it has no key for the purge log; ${REMEDY}`, { cause: key });
}

const REMEDY = 'let keyFunction("", …) return one that no entry has';

/** The part of the log that this process has read. Plain data, so that invocations may share it. */
export class PurgeLog implements LogReader {
  readonly key: string;
  /** Labels are in use, so every round trip reads the new records. */
  inUse = false;
  /** How often it was read. */
  reads = 0;
  /** How often what is known has changed. */
  version = 0;
  readonly #maxMembers: number;
  #known: Known | "none" | undefined;
  #begun = 0;
  /** The read that was sent last, of those whose reply is known. */
  #newest = -1;
  /** As the last read has it. */
  #isUnchanged: IsUnchanged | undefined;

  constructor(key: string, maxMembers: number = MAX_MEMBERS) {
    this.key = key;
    this.#maxMembers = maxMembers;
  }

  /** Whether the next round trip should read the log. */
  get isWanted(): boolean {
    return this.#known === undefined || (this.inUse && !this.isCurrent());
  }

  /** Whether all that is in the log is known, so that it need not be read again. @param nowMs as for `IsUnchanged` */
  isCurrent(nowMs?: number): boolean {
    return this.#known !== undefined && this.#isUnchanged?.(nowMs) === true;
  }

  /** Whether there was no log at the last read. */
  get isAbsent(): boolean {
    return this.#known === "none";
  }

  /** The position after the last read; `undefined` when there was no log, or it was never read. */
  get stamp(): Stamp | undefined {
    return typeof this.#known === "object" ? [this.#known.epoch, this.#known.number] : undefined;
  }

  /** Reads the records since the last read. @param near where reads are answered from the process */
  read(near: Pick<NearReads, "watch"> | undefined): LogRead {
    const after = typeof this.#known === "object" ? this.#known.number : undefined;
    const least = `(${after ?? 0}`;
    // The epoch is one member more.
    const limit = String(MAX_READ + 1);
    const command = ["ZREVRANGEBYSCORE", this.key, "+inf", least, "WITHSCORES", "LIMIT", "0", limit] as const;
    return { command, after, before: this.#begun++, isUnchanged: near?.watch(this.key, this) };
  }

  /** Adds what was read. @returns `false` when the log must be read again, as it is another one @throws {ReplyError} */
  apply(read: LogRead, reply: Reply): boolean {
    if (reply instanceof ReplyError) throw explained(reply, this.key);
    const tail = readTail(reply);
    this.reads++;
    this.version++;
    // A read that was sent later has seen all that this one has.
    if (read.before < this.#newest && this.#known !== undefined) return true;
    this.#newest = read.before;
    if (!this.#add(read.after, tail)) return false;
    this.#isUnchanged = read.isUnchanged;
    return true;
  }

  #add(after: number | undefined, tail: Tail): boolean {
    if (tail.epoch === undefined) {
      this.#known = "none";
      return true;
    }
    if (typeof this.#known !== "object" || this.#known.epoch !== tail.epoch) {
      this.#known = after === undefined ? begun(tail.epoch) : undefined;
    }
    if (!this.#known) return false;
    add(this.#known, tail);
    return true;
  }

  /** Adds a purge, which comes next. */
  add(records: (string | number)[]): void {
    if (typeof this.#known !== "object") return;
    add(this.#known, readTail(records));
    this.version++;
  }

  /**
   * What later purges mean for an entry. What was asked for counts as well.
   * @returns `"unknown"` when the entry is older than what was read, and its labels were not asked for: see `judge`
   */
  verdict(entry: Stamped, reader: Reader): Verdict | "unknown" {
    const known = this.#known;
    const { stamp } = entry;
    if (typeof known !== "object" || stamp?.[0] !== known.epoch) return "soft";
    return judged(known, entry, stamp[1], reader);
  }

  /** Asks for the last purges of labels, and for those of several labels together. @throws {ConnectionError} @throws {ReplyError} */
  async ask(connection: Connection, labels: readonly string[]): Promise<void> {
    const known = this.#known;
    if (typeof known !== "object") return;
    const unasked = labels.filter((label) => !known.asked.get(label)?.isAnswered);
    const asked = unasked.map((label) => askedOf(known, label));
    const records = unasked.flatMap((label, i) =>
      ALL_KINDS.map((kind) => ({ record: label + kind, kind, of: asked[i] })),
    );
    const scoreOf = (member: string) => ["ZSCORE", this.key, member] as const;
    const commands = [
      ...["&", ...records.map(({ record }) => record)].map(scoreOf),
      // Floors come after what they are the floors of, and the epoch last: while it is there, so was all of the log.
      ["ZRANGEBYSCORE", this.key, "-inf", "(0", "WITHSCORES", "LIMIT", "0", String(MAX_TOGETHER)] as const,
      ...["-", "~", `=${known.epoch}`].map(scoreOf),
    ];
    // The log may have dropped the number of the last one that this process has heard of.
    const heard = known.togetherLast;
    const sent = connection.send(commands, withRead({ isUnchanged: this.#isUnchanged }, READ));
    const replies = (await sent).map(throwIfError);
    const [last = 0, ...numbers] = replies.map((reply) => (Array.isArray(reply) ? 0 : Number(text(reply))));
    const [together = null, floor = null, togetherFloor = null, epoch = null] = replies.slice(-4);
    if (epoch === null) {
      if (this.#known === known) this.#known = undefined;
      return;
    }
    known.floor = Math.max(known.floor, Number(text(floor)));
    addTogether(known, readTogether(together), Math.max(last, heard), Number(text(togetherFloor)));
    for (const [i, { kind, of }] of records.entries()) if (of) note(of, kind, numbers[i] ?? 0);
    for (const one of asked) one.isAnswered = true;
  }

  /** A stamp for what is stored now, where there was no log before its load began. @throws {ConnectionError} @throws {ReplyError} */
  async begin(connection: Connection): Promise<Stamp> {
    const epoch = text(await this.#append(connection, []));
    if (typeof this.#known !== "object") this.#known = begun(epoch);
    // All purges of a log that was begun meanwhile apply.
    return [epoch, 0];
  }

  /** Appends a purge of labels. @param only whose entries it ends; all, if absent @throws {ConnectionError} @throws {ReplyError} */
  async append(connection: Connection, labels: readonly string[], soft: boolean, only?: Reader): Promise<void> {
    await this.#append(
      connection,
      labels.map((label) => recordOf(label, soft, only)),
    );
  }

  /** As `append`, for entries that have all of these labels. */
  async appendTogether(connection: Connection, labels: readonly string[], soft: boolean, only?: Reader): Promise<void> {
    await this.#append(connection, [recordOfAll(labels, soft, only)]);
  }

  #append(connection: Connection, records: readonly string[]): Promise<Reply> {
    const args = [randomText(8), String(this.#maxMembers), ...records];
    const send = (): Promise<Reply> => connection.script(APPEND, [this.key], args);
    // Once more where it could not be published.
    return send()
      .then((reply) => reply ?? send())
      .catch((error: unknown) => {
        throw explained(error, this.key);
      });
  }
}

/** An error of the log: with the remedy where its key holds something else. */
function explained(error: unknown, key: string): unknown {
  if (!(error instanceof ReplyError) || !error.message.includes("WRONGTYPE")) return error;
  const detail = `key ${show(key)}: it holds no purge log; delete it, and ${REMEDY}`;
  return new ReplyError("WRONGTYPE", detail, { cause: error });
}

/** Sends commands and, in the same round trip, reads the new records of the purge log. */
export async function sendWithLog(
  connection: Connection,
  log: PurgeLog,
  commands: readonly Command[],
  options: SendOptions,
): Promise<Reply[]> {
  const read: LogRead | undefined = log.isWanted ? log.read(connection.near) : undefined;
  if (!read) return connection.send(commands, options);
  const replies = await connection.send([...commands, read.command], withRead(read, options));
  if (!log.apply(read, replies[commands.length] ?? null)) await readLog(connection, log);
  return replies;
}

/** Reads the purge log: the new records, or the newest ones where it is another log than before. */
export async function readLog(connection: Connection, log: PurgeLog): Promise<void> {
  for (let tries = 0; tries < 2; tries++) {
    const read = log.read(connection.near);
    const [reply = null] = await connection.send([read.command], withRead(read, READ));
    if (log.apply(read, reply)) return;
  }
}

/**
 * What later purges mean for an entry. The log was read since the caller asked for the entry.
 * @throws {ConnectionError} @throws {ReplyError}
 */
export async function judge(connection: Connection, log: PurgeLog, entry: Stamped, reader: Reader): Promise<Verdict> {
  for (let tries = 0; tries < 3; tries++) {
    const verdict = log.verdict(entry, reader);
    if (verdict !== "unknown") return verdict;
    await log.ask(connection, entry.labels);
  }
  // More was purged between two replies than is read at once.
  return "hard";
}
