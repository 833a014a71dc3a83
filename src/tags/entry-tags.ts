import type { Encoded } from "../codec/envelope.js";
import { readTagged, type Tagged, tagged } from "../codec/tagged.js";
import type { Connection } from "../core/connection.js";
import { tagLabels } from "./labels.js";
import { judge, type LogPlace, type PurgeLog, purgeLogOf, readLog, type Stamp, type Verdict } from "./purge-log.js";

/** An entry as this process has opened it, with the last answer to whether it was purged. */
export interface OpenedEntry extends Tagged {
  /** When the answer was found, as the log counts its reads. */
  judgedAt: number;
  isGood: boolean;
}

/** Judges entries with tags, and makes them. One for a cache and all its views. */
export class EntryTags {
  readonly #log: PurgeLog;
  /** Reads of the log that may be shared, each with the error that it ended with. */
  readonly #reads = new WeakMap<Connection, Promise<unknown>>();

  constructor(purges: LogPlace) {
    this.#log = purgeLogOf(purges);
  }

  /** Where the log was when it was last read. */
  get stamp(): Stamp | undefined {
    return this.#log.stamp;
  }

  /**
   * Reads the log, unless a near cache knows that it is unchanged. Reads that begin together share a read of the log, which
   * begins with them: a purge that ended before a read began is always seen.
   * @returns the error that prevented it, if there was one; never rejects
   */
  refresh(connection: Connection): Promise<unknown> | undefined {
    if (this.#log.isCurrent) return undefined;
    let read = this.#reads.get(connection);
    if (!read) {
      read = readLog(connection, this.#log).then(
        () => undefined,
        (error: unknown) => error,
      );
      this.#reads.set(connection, read);
      // Nothing that waits for a purge continues before this, and what began at the same time does.
      queueMicrotask(() => this.#reads.delete(connection));
    }
    return read;
  }

  /** Opens the payload of an entry with tags. @throws {DecodeError} */
  open(payload: Encoded, key: string): OpenedEntry {
    return { ...readTagged(payload, key), judgedAt: -1, isGood: false };
  }

  /** As `open`; `undefined` where it is malformed. */
  tryOpen(payload: Encoded, key: string): OpenedEntry | undefined {
    try {
      return this.open(payload, key);
    } catch {
      return undefined;
    }
  }

  /** Whether the process knows, without asking the server, that no tag of an entry was purged. */
  isGood(entry: OpenedEntry): boolean {
    const log = this.#log;
    if (!log.isCurrent) return false;
    if (entry.judgedAt === log.reads) return entry.isGood;
    const verdict = log.verdict(entry.labels, entry.stamp, "data");
    entry.isGood = verdict === "good";
    // The labels may be asked for.
    if (verdict !== "unknown") entry.judgedAt = log.reads;
    return entry.isGood;
  }

  /** What purges mean for an entry, as of the last read of the log. @throws {ConnectionError} @throws {ReplyError} */
  verdict(entry: OpenedEntry, connection: Connection): Promise<Verdict> {
    return judge(connection, this.#log, entry, "data");
  }

  /** A stamp where there was no log: as of the log that is begun now. @throws {ConnectionError} @throws {ReplyError} */
  begin(connection: Connection): Promise<Stamp | undefined> {
    return this.#log.begin(connection);
  }

  /** The payload of an entry with these tags. @param stamp where the log was before the value was loaded */
  async attach(payload: Encoded, tags: readonly string[], stamp: Stamp | undefined): Promise<Encoded> {
    return tags.length === 0 ? payload : tagged({ stamp, labels: await tagLabels([...new Set(tags)]), payload });
  }
}
