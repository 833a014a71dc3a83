import { atEndOfTurn } from "../core/async.js";
import type { Connection, Reply } from "../core/connection.js";
import { throwIfError } from "../core/errors.js";
import type { Known } from "../core/near.js";
import { type PurgeLog, sendWithLog } from "../tags/purge-log.js";
import { readRecord, type Stored } from "./record.js";

interface Waiter {
  readonly key: string;
  readonly resolve: (stored: Stored | undefined) => void;
  readonly reject: (error: unknown) => void;
}

const READ = { readOnly: true };

/**
 * Batches the reads of one turn of the event loop. They are sent when the turn is over. Requests for one key share one read,
 * which begins after all of them have asked, so no request is answered with a response that was purged before it. Where the
 * host keeps requests apart, each has a connection and reads of its own.
 */
export class Reads {
  readonly #connection: Connection;
  readonly #log: PurgeLog;
  /** The reads of this turn, by key. */
  readonly #promises = new Map<string, Promise<Stored | undefined>>();
  #waiters: Waiter[] = [];

  constructor(connection: Connection, log: PurgeLog) {
    this.#connection = connection;
    this.#log = log;
  }

  /**
   * What this process knows to be stored under a key, and whose purges it knows, so that the server need not be asked. It is
   * shared, and must not be changed. What can't be read counts as unknown, so that `get` reports it.
   */
  recall(key: string): Stored | undefined {
    const known = this.#log.isWanted ? undefined : this.#connection.near?.recall(key);
    return known && sharedRecord(known, key);
  }

  /** What is stored under a key; `undefined` when there is nothing. @throws {DecodeError} @throws {ReplyError} @throws {ConnectionError} */
  get(key: string): Promise<Stored | undefined> {
    const shared = this.#promises.get(key);
    if (shared) return shared;
    if (this.#waiters.length === 0) {
      atEndOfTurn(this.#flush);
    }
    const promise = new Promise<Stored | undefined>((resolve, reject) => {
      this.#waiters.push({ key, resolve, reject });
    });
    this.#promises.set(key, promise);
    return promise;
  }

  readonly #flush = (): void => {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#promises.clear();
    // One round trip for all only where each needs the purge log; else the first would wait for the last.
    if (this.#log.isWanted) void this.#together(waiters);
    else {
      for (const { key, resolve, reject } of waiters) {
        this.#connection
          .send([["GET", key]], READ)
          .then(([reply = null]) => resolve(toStored(reply, key)))
          .catch(reject);
      }
    }
  };

  async #together(waiters: readonly Waiter[]): Promise<void> {
    try {
      const commands = waiters.map(({ key }) => ["GET", key] as const);
      const replies = await sendWithLog(this.#connection, this.#log, commands, READ);
      for (const [i, waiter] of waiters.entries()) answer(waiter, replies[i] ?? null);
    } catch (error) {
      for (const { reject } of waiters) reject(error);
    }
  }
}

function answer({ key, resolve, reject }: Waiter, reply: Reply): void {
  try {
    resolve(toStored(reply, key));
  } catch (error) {
    reject(error);
  }
}

/** The record that is kept with what the process knows: parsed once, for all requests. */
function sharedRecord(known: Known, key: string): Stored | undefined {
  if (known.derivedBy !== readRecord) {
    known.derivedBy = readRecord;
    try {
      const record = toStored(known.stored, key);
      // Hosts are given its fields.
      if (record?.kind === "response") for (const field of record.entry.head.fields) Object.freeze(field);
      known.derived = record;
    } catch {
      known.derived = undefined;
    }
  }
  return known.derived as Stored | undefined;
}

function toStored(reply: Reply, key: string): Stored | undefined {
  if (reply instanceof Uint8Array) return readRecord(reply, key);
  throwIfError(reply);
  return undefined;
}
