import { Availability } from "../../core/availability.js";
import type { Connection } from "../../core/connection.js";
import { ConnectionError, type ReplyError, TimeoutError } from "../../core/errors.js";
import type { Clock } from "../../core/time.js";
import { BackgroundWork, type TrackWork } from "./background-work.js";
import { CircuitBreaker } from "./circuit-breaker.js";
import { Deadlines, withDeadline } from "./deadline.js";
import { newlyOpen, type OpenConnection } from "./open-connection.js";
import { type Watcher, Watchers } from "./watchers.js";

/**
 * Opens a connection. `track` registers work that continues after a failure; `close` waits for it. `retire` replaces the
 * connection at its next use; round trips in progress end on it.
 */
export type DialConnection = (track: TrackWork, retire: () => void) => Promise<Connection>;

/** What a dial may do, and until when. */
export interface DialScope {
  readonly track: TrackWork;
  readonly retire: () => void;
  /** When the time of the whole dial is up, by `performance.now()`. An error before that can name the cause. */
  readonly endMs: number;
}

export interface DialerOptions {
  /** The server, for messages. */
  readonly name: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  /** Dial again after this long without a reply; `Infinity` never. */
  readonly maxIdleMs: number;
  /**
   * Whether to dial again when a connection is lost, or its server refuses writes. Otherwise the transport repairs the
   * connection by itself.
   */
  readonly redial: boolean;
  /**
   * Loads the code that dials need. That takes none of their time, as the first load can take long in a busy process. An
   * error is ignored here, as the dial fails for the same reason. @default nothing
   */
  readonly prepare?: (() => Promise<unknown>) | undefined;
  /** Called with replies that nodes of a cluster send. Returns whether another dial connects to the cluster. @default never */
  readonly findsCluster?: (() => boolean) | undefined;
  /** Says more about a reply that the server as a whole is the reason of. @default nothing more */
  readonly explain?: ((reply: ReplyError, connection: Connection) => Promise<ReplyError>) | undefined;
  readonly clock: Clock;
  /** Shared by connections that are opened one after another to one server. @default one of its own */
  readonly breaker?: CircuitBreaker;
  /** Shared as `breaker` is. @default one of its own */
  readonly availability?: Availability;
}

/** A dial in progress. */
interface Dialing {
  /** `undefined` when the dial was cancelled in favour of another one. */
  readonly opened: Promise<OpenConnection | undefined>;
  cancel(): void;
}

/** A connection on which this number of round trips in a row timed out counts as dead. */
const MAX_TIMEOUTS = 2;
/** How long round trips may keep timing out before a transport with several connections is replaced. */
const PATIENCE_MS = 2_000;
/** The shortest time between two dials because a server refuses writes. */
const READONLY_REDIAL_MS = 1_000;

/** Keeps one connection open. It dials when there is none, shares each dial among all callers, and replaces dead connections. */
export class Dialer {
  readonly options: DialerOptions;
  readonly breaker: CircuitBreaker;
  readonly availability: Availability;
  /** The deadlines of round trips. */
  readonly deadlines: Deadlines;
  readonly #dial: DialConnection;
  readonly #background = new BackgroundWork();
  /** Connections that are closed when their last round trip ends. */
  readonly #retired = new Set<OpenConnection>();
  #current: OpenConnection | undefined;
  #dialing: Dialing | undefined;
  /** Called when the last retired connection is closed. */
  #onDrained: (() => void) | undefined;
  #wasOpen = false;
  #closed = false;
  readonly #watchers = new Watchers();

  constructor(dial: DialConnection, options: DialerOptions) {
    const { name, clock, connectTimeoutMs, commandTimeoutMs } = options;
    this.#dial = dial;
    this.options = options;
    this.deadlines = new Deadlines(commandTimeoutMs);
    this.availability = options.availability ?? new Availability(name, clock);
    this.breaker = options.breaker ?? new CircuitBreaker(name, clock, 2 * (connectTimeoutMs + commandTimeoutMs));
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  watch(watcher: Watcher): () => void {
    const ends = [this.#watchers.add(watcher), this.breaker.watchers.add(watcher)];
    return () => {
      for (const end of ends) end();
    };
  }

  /** The open connection. */
  get current(): OpenConnection | undefined {
    return this.#current;
  }

  /** Whether a connection was ever open. */
  get wasOpen(): boolean {
    return this.#wasOpen;
  }

  /** The open connection, unless it was silent for longer than `maxIdleMs`. */
  usable(): OpenConnection | undefined {
    const current = this.#current;
    if (current && current.pending === 0 && this.#since(current.lastReplyMs) > this.options.maxIdleMs)
      this.retire(current);
    return this.#current;
  }

  /** @throws {ConnectionError} */
  async connect(): Promise<OpenConnection> {
    for (;;) {
      if (this.#closed) throw this.closedError();
      const current = this.usable();
      if (current) return current;
      this.#dialing ??= this.#startDial();
      const opened = await this.#dialing.opened;
      if (opened) return opened;
    }
  }

  /** A round trip, which `pending` counts, ends. */
  end(open: OpenConnection): void {
    open.pending--;
    if (open.isRetired && open.pending === 0) this.#discard(open);
  }

  /** A round trip was answered. */
  replied(open: OpenConnection): void {
    open.timeouts = 0;
    open.lastReplyMs = this.options.clock.now();
    open.error = undefined;
  }

  /** A round trip failed because of its connection. */
  failed(open: OpenConnection, error: ConnectionError): void {
    open.error = error;
    const isTimeout = error instanceof TimeoutError;
    if (!this.options.redial) {
      if (isTimeout) this.#recordPartialTimeout(open);
    } else if (!isTimeout) this.retire(open);
    else if (++open.timeouts >= MAX_TIMEOUTS || this.#wasSilent(open)) this.abandon(open);
  }

  /**
   * One of the transport's several connections may be dead while the others answer, so timeouts in a row don't show it.
   * Timeouts that go on for longer than a transport needs to repair itself show that it won't.
   */
  #recordPartialTimeout(open: OpenConnection): void {
    const patienceMs = PATIENCE_MS + 2 * this.options.commandTimeoutMs;
    const { timeoutSeries: series } = open;
    const nowMs = this.options.clock.now();
    if (!series || this.#since(series.lastMs) > patienceMs) open.timeoutSeries = { firstMs: nowMs, lastMs: nowMs };
    else if (this.#since(series.firstMs) > patienceMs) this.retire(open);
    else series.lastMs = nowMs;
  }

  /** Whether it was silent before the round trip that timed out: the network drops idle connections, as during a freeze. */
  #wasSilent(open: OpenConnection): boolean {
    return this.#since(open.lastReplyMs) > 2 * this.options.commandTimeoutMs;
  }

  /**
   * The server refuses what another one would carry out: writes, or keys of other nodes of its cluster.
   * @returns whether the connection was retired, so that another dial may find the right server
   */
  retireMisdirected(open: OpenConnection, error: ReplyError): boolean {
    const { code } = error;
    if (open.isRetired) return true;
    const { redial, findsCluster } = this.options;
    const isRecent = open === this.#current && this.#since(open.openedMs) < READONLY_REDIAL_MS;
    const helps = redial && (code === "READONLY" ? !isRecent : findsCluster?.() === true);
    if (!helps) return false;
    open.error = error;
    this.retire(open);
    return true;
  }

  /** Closes a connection that seems dead, together with its round trips in progress. */
  abandon(open: OpenConnection): void {
    if (open !== this.#current) return;
    this.#current = undefined;
    open.isAbandoned = true;
    this.#discard(open);
  }

  /**
   * Lets the round trips in progress end, and starts no new ones. This applies to a lost connection, too: GLIDE reconnects
   * by itself for commands that it took meanwhile, even when it is closed. Only answered commands can't run later.
   */
  retire(open: OpenConnection): void {
    if (open !== this.#current) return;
    this.#current = undefined;
    open.isRetired = true;
    this.#retired.add(open);
    if (open.pending === 0) this.#discard(open);
  }

  /** The primary has moved: retires the connection and cancels a dial in progress. */
  replace(): void {
    if (this.#current) this.retire(this.#current);
    this.#dialing?.cancel();
    this.breaker.expectRecovery();
  }

  /** Lets commands in progress end, each within its deadline. Resolves when nothing is left that could connect again. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { connectTimeoutMs, commandTimeoutMs } = this.options;
    if (this.#current) this.retire(this.#current);
    if (this.#retired.size > 0) {
      const drained = new Promise<void>((resolve) => (this.#onDrained = resolve));
      const tooLate = () => new TimeoutError(`commands to ${this.options.name} outlived their deadline`);
      await withDeadline(drained, commandTimeoutMs, tooLate).catch(() => {});
    }
    for (const open of this.#retired) this.#discard(open);
    // A dial in progress closes what it opens, as it finds the dialer closed.
    await this.#dialing?.opened.catch(() => {});
    // The wait is bounded: a dial that ignores its deadlines can't keep a process from ending.
    const timeoutError = () => new TimeoutError(`${this.options.name} could not be closed in time`);
    await withDeadline(this.#background.allSettled(), connectTimeoutMs + commandTimeoutMs, timeoutError).catch(
      () => {},
    );
  }

  closedError(): ConnectionError {
    return new ConnectionError(`the connection to ${this.options.name} was closed; make a new cache`);
  }

  #startDial(): Dialing {
    // An AbortController would cost a cold start 0.25 ms.
    let isCancelled = false;
    let resolveCancelled = (): void => {};
    const cancelled = new Promise<undefined>((resolve) => {
      resolveCancelled = () => resolve(undefined);
    });
    const forget = (): void => {
      if (this.#dialing === dialing) this.#dialing = undefined;
    };
    const dialing: Dialing = {
      opened: Promise.race([this.#open(() => isCancelled), cancelled]).finally(forget),
      cancel: () => {
        isCancelled = true;
        forget();
        resolveCancelled();
      },
    };
    return dialing;
  }

  async #open(isCancelled: () => boolean): Promise<OpenConnection | undefined> {
    const { name, connectTimeoutMs, clock, prepare } = this.options;
    const timeoutError = () =>
      new TimeoutError(
        `${name} could not be reached within ${connectTimeoutMs} ms; check that it is running, or raise connectTimeout`,
      );
    const startedMs = clock.now();
    let open: OpenConnection | undefined;
    if (prepare) await prepare().catch(() => {});
    const dialled = this.#dial(this.#background.track, () => open && this.retire(open));
    try {
      const connection = await withDeadline(dialled, connectTimeoutMs, timeoutError);
      if (this.#closed || isCancelled()) throw this.closedError();
      open = newlyOpen(connection, clock.now());
      this.#wasOpen = true;
      this.#current = open;
      this.#notify("opened", startedMs, undefined);
      return open;
    } catch (error) {
      this.#background.track(dialled.then((opened) => opened.close()));
      if (isCancelled()) return undefined;
      this.#notify("failed", startedMs, error);
      if (error instanceof ConnectionError && !this.#closed) this.breaker.dialFailed(error);
      throw error;
    }
  }

  /** Closes a connection. Only `close` waits for this. */
  #discard(open: OpenConnection): void {
    this.#retired.delete(open);
    if (this.#retired.size === 0) this.#onDrained?.();
    this.#notify("ended", open.openedMs, open.error);
    this.#background.track(open.connection.close());
  }

  #notify(state: "opened" | "failed" | "ended", sinceMs: number, error: unknown): void {
    this.#watchers.notify({ kind: "connection", state, durationMs: this.#since(sinceMs), error });
  }

  /** The distance in either direction, as clocks can be set back. */
  #since(ms: number): number {
    return Math.abs(this.options.clock.now() - ms);
  }
}
