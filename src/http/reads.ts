import type { Command, Connection, Reply, SendOptions } from "../core/connection.js";
import { throwIfError } from "../core/errors.js";
import type { LogRead, PurgeLog } from "./purge-log.js";
import { readRecord, type Stored } from "./record.js";

interface Waiting {
  readonly promise: Promise<Stored | undefined>;
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
  #waiting = new Map<string, Waiting>();

  constructor(connection: Connection, log: PurgeLog) {
    this.#connection = connection;
    this.#log = log;
  }

  /** What is stored under a key; `undefined` when there is nothing. @throws {DecodeError} @throws {ReplyError} @throws {ConnectionError} */
  get(key: string): Promise<Stored | undefined> {
    const waiting = this.#waiting.get(key);
    if (waiting) return waiting.promise;
    if (this.#waiting.size === 0) atEndOfTurn(() => this.#flush());
    const made = waitingFor();
    this.#waiting.set(key, made);
    return made.promise;
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    // One round trip for all only where each needs the purge log; else the first would wait for the last.
    if (this.#log.isWanted) this.#together(waiting);
    else for (const [key, one] of waiting) this.#alone(key, one);
  }

  #alone(key: string, { resolve, reject }: Waiting): void {
    this.#connection
      .send([["GET", key]], READ)
      .then(([reply = null]) => resolve(toStored(reply, key)))
      .catch(reject);
  }

  async #together(waiting: ReadonlyMap<string, Waiting>): Promise<void> {
    const keys = [...waiting.keys()];
    try {
      const replies = await flight(
        this.#connection,
        this.#log,
        keys.map((key) => ["GET", key] as const),
        READ,
      );
      for (const [i, key] of keys.entries()) settle(waiting.get(key), () => toStored(replies[i] ?? null, key));
    } catch (error) {
      for (const { reject } of waiting.values()) reject(error);
    }
  }
}

function waitingFor(): Waiting {
  let [resolve, reject]: [Waiting["resolve"], Waiting["reject"]] = [() => {}, () => {}];
  const promise = new Promise<Stored | undefined>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

function settle(waiting: Waiting | undefined, read: () => Stored | undefined): void {
  try {
    waiting?.resolve(read());
  } catch (error) {
    waiting?.reject(error);
  }
}

function toStored(reply: Reply, key: string): Stored | undefined {
  const stored = throwIfError(reply);
  return stored instanceof Uint8Array ? readRecord(stored, key) : undefined;
}

/** Sends commands and, in the same round trip, reads the new records of the purge log. */
export async function flight(
  connection: Connection,
  log: PurgeLog,
  commands: readonly Command[],
  options: SendOptions,
): Promise<Reply[]> {
  const read: LogRead | undefined = log.isWanted ? log.read() : undefined;
  const replies = await connection.send(read ? [...commands, read.command] : commands, options);
  if (read && !log.take(read, replies[commands.length] ?? null)) await readLog(connection, log);
  return replies;
}

/** Reads the purge log: the new records, or all of it where it is another log than before. */
export async function readLog(connection: Connection, log: PurgeLog): Promise<void> {
  for (let tries = 0; tries < 2; tries++) {
    const read = log.read();
    const [reply = null] = await connection.send([read.command], READ);
    if (log.take(read, reply)) return;
  }
}

/** Runs `work` after all events of this turn were delivered. */
function atEndOfTurn(work: () => void): void {
  if (typeof setImmediate === "function") setImmediate(work);
  else queueMicrotask(work);
}
