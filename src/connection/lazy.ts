import type { Clock } from "../core/clock.js";
import type { Argument, Command, Connection, Reply, ScanOptions, SendOptions } from "../core/connection.js";
import { ConnectionError, TimeoutError } from "../core/errors.js";
import type { Script } from "../core/script.js";
import { Deadline, withDeadline } from "./deadline.js";

export interface LazyOptions {
  /** The server, for messages. */
  readonly name: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  /** Dial again after this long without a reply; `Infinity` never. */
  readonly maxIdleMs: number;
  /** Whether a lost connection is replaced by dialling again, rather than left to the transport to mend. */
  readonly redial: boolean;
  readonly clock: Clock;
}

type Run<T> = (connection: Connection) => Promise<T>;

/** Within this window after a failed dial, calls fail at once. */
const BACK_OFF_MS = 100;
/** A connection that lets so many flights in a row run out of time is taken for dead. */
const MAX_TIMEOUTS = 2;

/**
 * A connection that is dialled by its first command, and again when it is lost: all callers share one dial, a failed one
 * is forgotten after a short while, every flight has a deadline, and what is idempotent survives one lost connection.
 */
export class LazyConnection implements Connection {
  readonly #dial: () => Promise<Connection>;
  readonly #options: LazyOptions;
  #live: Connection | undefined;
  #dialing: Promise<Connection> | undefined;
  #failure: { readonly error: ConnectionError; readonly atMs: number } | undefined;
  #timeouts = 0;
  #lastReplyMs = 0;
  #closed = false;

  /** @param dial opens a connection; it rejects with a `ConnectionError`, and is never called twice at once */
  constructor(dial: () => Promise<Connection>, options: LazyOptions) {
    this.#dial = dial;
    this.#options = options;
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (commands.length === 0) return Promise.resolve([]);
    return this.#run((connection) => connection.send(commands, options), options);
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    return this.#run((connection) => connection.script(script, keys, args, options), options);
  }

  async *scan(options: ScanOptions): AsyncIterable<string[]> {
    const connection = await this.#connect();
    const batches = connection.scan(options)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#flight(connection, () => batches.next(), undefined);
        if (next.done) return;
        yield next.value;
      }
    } finally {
      // Not waited for: a scan that hangs ends when its batch comes, which may be never.
      batches.return?.().catch(() => {});
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const live = this.#live;
    this.#live = undefined;
    await live?.close();
    // A dial in flight ends what it opens, as it finds this connection closed.
    await this.#dialing?.catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #run<T>(run: Run<T>, options: SendOptions | undefined): Promise<T> {
    const live = this.#usable();
    return live
      ? this.#flight(live, run, options)
      : this.#connect().then((opened) => this.#flight(opened, run, options));
  }

  /**
   * One flight under its deadline, and once more when its connection is lost and it is idempotent. Every command goes
   * through here, so it is one promise and one timer.
   */
  #flight<T>(connection: Connection, run: Run<T>, options: SendOptions | undefined, again = false): Promise<T> {
    const { commandTimeoutMs, clock } = this.#options;
    const timeoutMs = options?.timeoutMs;
    const ms = timeoutMs === undefined || timeoutMs > commandTimeoutMs ? commandTimeoutMs : timeoutMs;
    return new Promise((resolve, reject) => {
      let over = false;
      const failed = (error: unknown): void => {
        // A flight that was given up counts once, and is not repeated when its connection ends later.
        if (over) return;
        over = true;
        timer.clear();
        this.#failed(connection, error);
        if (again || !options?.idempotent || !this.#mayRepeat(error)) reject(error);
        else
          this.#connect()
            .then((opened) => this.#flight(opened, run, options, true))
            .then(resolve, reject);
      };
      const timer = new Deadline(ms, () => failed(this.#late(ms)));
      run(connection).then((result) => {
        timer.clear();
        this.#timeouts = 0;
        this.#lastReplyMs = clock.now();
        resolve(result);
      }, failed);
    });
  }

  #mayRepeat(error: unknown): boolean {
    return error instanceof ConnectionError && !(error instanceof TimeoutError) && !this.#closed;
  }

  #late(ms: number): TimeoutError {
    const { name } = this.#options;
    return new TimeoutError(
      `${name} did not answer within ${ms} ms; see whether it is reachable, or raise commandTimeout`,
    );
  }

  #failed(connection: Connection, error: unknown): void {
    if (connection !== this.#live || !(error instanceof ConnectionError)) return;
    const dead = error instanceof TimeoutError ? ++this.#timeouts >= MAX_TIMEOUTS : this.#options.redial;
    if (dead) this.#drop(connection);
  }

  #drop(connection: Connection): void {
    this.#live = undefined;
    this.#timeouts = 0;
    // Nobody waits for the old connection to end, and it can't end worse than it is.
    connection.close().catch(() => {});
  }

  #usable(): Connection | undefined {
    const live = this.#live;
    if (live && this.#options.clock.now() - this.#lastReplyMs > this.#options.maxIdleMs) {
      this.#drop(live);
      return undefined;
    }
    return live;
  }

  async #connect(): Promise<Connection> {
    const { name, clock } = this.#options;
    if (this.#closed) throw new ConnectionError(`the connection to ${name} was closed; make a new cache`);
    const live = this.#usable();
    if (live) return live;
    // The distance both ways: a clock set back must not make the window longer.
    if (this.#failure && Math.abs(clock.now() - this.#failure.atMs) < BACK_OFF_MS) {
      const { error } = this.#failure;
      throw new (error instanceof TimeoutError ? TimeoutError : ConnectionError)(error.message, { cause: error.cause });
    }
    this.#dialing ??= this.#open().finally(() => {
      this.#dialing = undefined;
    });
    return this.#dialing;
  }

  async #open(): Promise<Connection> {
    const { name, connectTimeoutMs, clock } = this.#options;
    const dialled = this.#dial();
    try {
      const late = () =>
        new TimeoutError(
          `${name} could not be reached within ${connectTimeoutMs} ms; see whether it runs, or raise connectTimeout`,
        );
      const opened = await withDeadline(dialled, connectTimeoutMs, late);
      if (this.#closed) throw new ConnectionError(`the connection to ${name} was closed; make a new cache`);
      this.#failure = undefined;
      this.#lastReplyMs = clock.now();
      this.#live = opened;
      return opened;
    } catch (error) {
      dialled.then((opened) => opened.close()).catch(() => {});
      if (error instanceof ConnectionError) this.#failure = { error, atMs: clock.now() };
      throw error;
    }
  }
}
