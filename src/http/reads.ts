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
 * Plain reads of the requests that one turn of the event loop brings. They are sent when the turn is over: who asks for the
 * same key shares one read, which begins after all of them have asked, so that nobody is answered with what was purged
 * before. Requests whose host keeps them apart have connections, and so reads, of their own.
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
    // One flight for all only where each needs the log: else the first would wait for the last.
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

/** Commands and, on the way, what was purged by label since the last time. */
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

/** Reads the log alone: on from what is known, and all of it when it isn't what was known any more. */
export async function readLog(connection: Connection, log: PurgeLog): Promise<void> {
  for (let tries = 0; tries < 2; tries++) {
    const read = log.read();
    const [reply = null] = await connection.send([read.command], READ);
    if (log.take(read, reply)) return;
  }
}

/** When what the loop has polled so far is handed out. */
function atEndOfTurn(work: () => void): void {
  if (typeof setImmediate === "function") setImmediate(work);
  else queueMicrotask(work);
}
