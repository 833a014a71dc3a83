import type { Encoded } from "../codec/envelope.js";
import { readTagged, type Tagged, tagged } from "../codec/tagged.js";
import { type MaybePromise, moment } from "../core/async.js";
import type { Command, Connection, Reply, SendOptions } from "../core/connection.js";
import { tagLabels } from "./labels.js";
import {
  judge,
  type LogPlace,
  type PurgeLog,
  purgeLogOf,
  READ,
  readLog,
  type Stamp,
  type Verdict,
  withRead,
} from "./purge-log.js";

/** An entry as this process has opened it, with the last answer to whether it was purged. */
export interface OpenedEntry {
  readonly tagged: Tagged;
  /** When the answer was found, as the log counts its reads. */
  judgedAt: number;
  isGood: boolean;
}

/** What was sent, and the read of the log that began with it; that is absent where a near cache knows that the log is unchanged. */
export interface Sent {
  readonly replies: Promise<Reply[]>;
  readonly log: LogRead | undefined;
}

/** A read of the log, which callers that began together share. */
export class LogRead {
  readonly moment = moment();
  isDone = false;
  /** What prevented it. */
  error: unknown;
  /** Never rejects. */
  readonly done: Promise<void>;

  /** @param read applies the replies; what it returns is waited for */
  constructor(replies: Promise<Reply[]>, read: (replies: Reply[]) => Promise<void> | undefined) {
    const ended = (error?: unknown): void => {
      this.error = error;
      this.isDone = true;
    };
    this.done = replies.then((all) => {
      try {
        const more = read(all);
        if (more) return more.then(() => ended(), ended);
        // Now, so that callers that look at the same replies need not wait.
        ended();
      } catch (error) {
        ended(error);
      }
    }, ended);
  }
}

/** Judges entries with tags, and makes them. One for a cache and all its views. */
export class EntryTags {
  readonly #log: PurgeLog;
  /** The last read of the log over each connection. */
  readonly #reads = new WeakMap<Connection, LogRead>();

  constructor(purges: LogPlace) {
    this.#log = purgeLogOf(purges);
  }

  /** Where the log was when it was last read. */
  get stamp(): Stamp | undefined {
    return this.#log.stamp;
  }

  /** Whether there was no log when it was last read. */
  get isAbsent(): boolean {
    return this.#log.isAbsent;
  }

  /**
   * Reads the log, unless a near cache knows that it is unchanged. Reads that begin together share a read of the log, which
   * begins with them: a purge that ended before a read began is always seen.
   */
  refresh(connection: Connection): LogRead | undefined {
    if (this.#log.isCurrent()) return undefined;
    return this.#shared(connection) ?? this.send(connection, [], READ).log;
  }

  /** Sends commands, and does what `refresh` does in the same round trip. @returns the replies, of these commands first */
  send(connection: Connection, commands: readonly Command[], options: SendOptions): Sent {
    const log = this.#log;
    // The log may be in another slot of the cluster.
    if (options.atomic) return { replies: connection.send(commands, options), log: this.refresh(connection) };
    const isCurrent = log.isCurrent();
    const shared = isCurrent ? undefined : this.#shared(connection);
    if (shared || isCurrent) return { replies: connection.send(commands, options), log: shared };
    const read = log.read(connection.near);
    const replies = connection.send([...commands, read.command], withRead(read, options));
    const reading = new LogRead(replies, (all) =>
      log.apply(read, all[commands.length] ?? null) ? undefined : readLog(connection, log),
    );
    this.#reads.set(connection, reading);
    return { replies, log: reading };
  }

  /** A read of the log that began in this moment. */
  #shared(connection: Connection): LogRead | undefined {
    const read = this.#reads.get(connection);
    return read?.moment === moment() ? read : undefined;
  }

  /** Opens the payload of an entry with tags; `undefined` where it is malformed. */
  tryOpen(payload: Encoded, key: string): OpenedEntry | undefined {
    try {
      return { tagged: readTagged(payload, key), judgedAt: -1, isGood: false };
    } catch {
      return undefined;
    }
  }

  /** Whether the process knows, without asking the server, that no tag of an entry was purged. @param nowMs as for `IsUnchanged` */
  isGood(entry: OpenedEntry, nowMs: number): boolean {
    const log = this.#log;
    if (!log.isCurrent(nowMs)) return false;
    if (entry.judgedAt === log.version) return entry.isGood;
    const verdict = log.verdict(entry.tagged, "data");
    entry.isGood = verdict === "good";
    // The labels may be asked for.
    if (verdict !== "unknown") entry.judgedAt = log.version;
    return entry.isGood;
  }

  /** What purges mean for an entry, as of the last read of the log. @throws {ConnectionError} @throws {ReplyError} */
  verdict(entry: Tagged, connection: Connection): MaybePromise<Verdict> {
    const verdict = this.#log.verdict(entry, "data");
    return verdict === "unknown" ? judge(connection, this.#log, entry, "data") : verdict;
  }

  /** A stamp where there was no log: as of the log that is begun now. @throws {ConnectionError} @throws {ReplyError} */
  begin(connection: Connection): Promise<Stamp | undefined> {
    return this.#log.begin(connection);
  }

  /**
   * The payloads of entries, with the tags of each, in order. A tag is hashed once, however many of them have it.
   * @param stamp where the log was before the values were loaded
   */
  async attach(
    payloads: readonly Encoded[],
    tags: readonly (readonly string[])[],
    stamp: Stamp | undefined,
  ): Promise<Encoded[]> {
    const distinct = [...new Set(tags.flat())];
    const labels = await tagLabels(distinct);
    const labelOf = new Map(distinct.map((tag, i) => [tag, labels[i] ?? ""]));
    return payloads.map((payload, i) => {
      const own = [...new Set(tags[i])].map((tag) => labelOf.get(tag) ?? "");
      return own.length === 0 ? payload : tagged({ stamp, labels: own, payload });
    });
  }
}
