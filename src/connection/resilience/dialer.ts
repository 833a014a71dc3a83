import type { Connection } from "../../core/connection.js";
import { ConnectionError, TimeoutError } from "../../core/errors.js";
import type { Clock } from "../../core/time.js";
import { Endings, type Until } from "../endings.js";
import { Breaker } from "./circuit-breaker.js";
import { Deadlines, withDeadline } from "./deadline.js";

/** Opens a connection. What goes on after it has failed is what `close` waits for. */
export type DialConnection = (until: Until) => Promise<Connection>;

export interface DialerOptions {
  /** The server, for messages. */
  readonly name: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  /** Dial again after this long without a reply; `Infinity` never. */
  readonly maxIdleMs: number;
  /** Whether a connection that is lost, or leads to a server that takes no writes, is replaced by dialling again, rather than left to the transport to mend. */
  readonly redial: boolean;
  readonly clock: Clock;
  /** Shared by connections that are opened one after another to one server. @default one of its own */
  readonly breaker?: Breaker;
}

/** An open connection, and what is known of it. */
export interface Line {
  readonly connection: Connection;
  readonly openedMs: number;
  heardMs: number;
  /** Flights under way. */
  flights: number;
  /** Flights in a row that ran out of time. */
  timeouts: number;
  /** Flights that ran out of time, one soon after the other, though others between them may not have. */
  series: { readonly firstMs: number; lastMs: number } | undefined;
  isRetired: boolean;
  /** It was ended here, not by the server, which may still carry out what is under way. */
  isGivenUp: boolean;
}

/** A dial under way. */
interface Dialing {
  /** `undefined` when it was given up for another one. */
  readonly line: Promise<Line | undefined>;
  giveUp(): void;
}

/** A connection that lets so many flights in a row run out of time is taken for dead. */
const MAX_TIMEOUTS = 2;
/** How long some flights may run out of time before a transport that has several connections is replaced. */
const PATIENCE_MS = 2_000;
/** A server that takes no writes is not dialled again sooner than so long after the last time. */
const DEMOTION_MS = 1_000;

/** Keeps one open connection: dials when there is none, all callers sharing one dial, and gives up what is dead. */
export class Dialer {
  readonly options: DialerOptions;
  readonly breaker: Breaker;
  /** Of flights. */
  readonly deadlines: Deadlines;
  readonly #dial: DialConnection;
  readonly #endings = new Endings();
  /** Connections that end as soon as what is under way there has ended. */
  readonly #retired = new Set<Line>();
  #live: Line | undefined;
  #dialing: Dialing | undefined;
  #wasOpen = false;
  #closed = false;

  constructor(dial: DialConnection, options: DialerOptions) {
    const { name, clock, connectTimeoutMs, commandTimeoutMs } = options;
    this.#dial = dial;
    this.options = options;
    this.deadlines = new Deadlines(commandTimeoutMs);
    this.breaker = options.breaker ?? new Breaker(name, clock, 2 * (connectTimeoutMs + commandTimeoutMs));
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get isOpen(): boolean {
    return this.#live !== undefined;
  }

  /** Whether there ever was a connection. */
  get wasOpen(): boolean {
    return this.#wasOpen;
  }

  /** The open connection, unless it was silent for too long. */
  usable(): Line | undefined {
    const live = this.#live;
    if (live && live.flights === 0 && this.#since(live.heardMs) > this.options.maxIdleMs) this.retire(live);
    return this.#live;
  }

  /** @throws {ConnectionError} */
  async connect(): Promise<Line> {
    for (;;) {
      if (this.#closed) throw this.closedError();
      const live = this.usable();
      if (live) return live;
      this.#dialing ??= this.#open();
      const opened = await this.#dialing.line;
      if (opened) return opened;
    }
  }

  begin(line: Line): void {
    line.flights++;
  }

  end(line: Line): void {
    line.flights--;
    if (line.isRetired && line.flights === 0) this.#discard(line);
  }

  heard(line: Line): void {
    line.timeouts = 0;
    line.heardMs = this.options.clock.now();
  }

  /** A flight failed for a reason of the connection's. */
  suspect(line: Line, error: ConnectionError): void {
    const isTimeout = error instanceof TimeoutError;
    if (!this.options.redial) {
      if (isTimeout) this.#suspectPart(line);
    } else if (!isTimeout) this.retire(line);
    else if (++line.timeouts >= MAX_TIMEOUTS || this.#wasSilent(line)) this.giveUp(line);
  }

  /**
   * One of the transport's several connections may be dead although others answer, so that no number of timeouts in a row
   * tells. What goes on for longer than a transport takes to mend itself is not mended by it.
   */
  #suspectPart(line: Line): void {
    const patienceMs = PATIENCE_MS + 2 * this.options.commandTimeoutMs;
    const { series } = line;
    const nowMs = this.options.clock.now();
    if (!series || this.#since(series.lastMs) > patienceMs) line.series = { firstMs: nowMs, lastMs: nowMs };
    else if (this.#since(series.firstMs) > patienceMs) this.retire(line);
    else series.lastMs = nowMs;
  }

  /** Already before the flight that ran out of time: what went over the network has been forgotten there, as in a freeze. */
  #wasSilent(line: Line): boolean {
    return this.#since(line.heardMs) > 2 * this.options.commandTimeoutMs;
  }

  /** The server takes no writes. Whether there may be a better one. */
  demoted(line: Line): boolean {
    if (!this.options.redial || (line === this.#live && this.#since(line.openedMs) < DEMOTION_MS)) return false;
    this.retire(line);
    return true;
  }

  /** Ends a connection that seems to be dead, and with it what is still under way there. */
  giveUp(line: Line): void {
    if (line !== this.#live) return;
    this.#live = undefined;
    line.isGivenUp = true;
    this.#discard(line);
  }

  /**
   * Lets a connection end what is under way, and begin nothing more. One that is lost, too: GLIDE dials again by itself
   * for what it was handed meanwhile, also when it is closed, so only what it has answered can't be carried out later.
   */
  retire(line: Line): void {
    if (line !== this.#live) return;
    this.#live = undefined;
    line.isRetired = true;
    this.#retired.add(line);
    if (line.flights === 0) this.#discard(line);
  }

  /** The server is not the right one any more, whether it is connected or still being dialled. */
  replace(): void {
    if (this.#live) this.retire(this.#live);
    this.#dialing?.giveUp();
    this.breaker.expectRecovery();
  }

  /** Resolves when nothing is left that could connect again. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { connectTimeoutMs, commandTimeoutMs } = this.options;
    const live = this.#live;
    this.#live = undefined;
    for (const line of this.#retired) this.#discard(line);
    await live?.connection.close();
    // A dial in flight ends what it opens, as it finds this connection closed.
    await this.#dialing?.line.catch(() => {});
    // Not for longer than all of it may take: a dial that ignores its deadlines can't keep a process from ending.
    const late = () => new TimeoutError(`${this.options.name} could not be closed in time`);
    await withDeadline(this.#endings.all(), connectTimeoutMs + commandTimeoutMs, late).catch(() => {});
  }

  closedError(): ConnectionError {
    return new ConnectionError(`the connection to ${this.options.name} was closed; make a new cache`);
  }

  #open(): Dialing {
    // Not an AbortController: the first one of a process costs a cold start a quarter of a millisecond.
    let isGivenUp = false;
    let tell = (): void => {};
    const givenUp = new Promise<undefined>((resolve) => {
      tell = () => resolve(undefined);
    });
    const over = (): void => {
      if (this.#dialing === dialing) this.#dialing = undefined;
    };
    const dialing: Dialing = {
      line: Promise.race([this.#opened(() => isGivenUp), givenUp]).finally(over),
      giveUp: () => {
        isGivenUp = true;
        over();
        tell();
      },
    };
    return dialing;
  }

  async #opened(isGivenUp: () => boolean): Promise<Line | undefined> {
    const { name, connectTimeoutMs, clock } = this.options;
    const late = () =>
      new TimeoutError(
        `${name} could not be reached within ${connectTimeoutMs} ms; see whether it runs, or raise connectTimeout`,
      );
    const dialled = this.#dial(this.#endings.add);
    try {
      const connection = await withDeadline(dialled, connectTimeoutMs, late);
      if (this.#closed || isGivenUp()) throw this.closedError();
      const nowMs = clock.now();
      const live = {
        connection,
        openedMs: nowMs,
        heardMs: nowMs,
        flights: 0,
        timeouts: 0,
        series: undefined,
        isRetired: false,
        isGivenUp: false,
      };
      this.#wasOpen = true;
      this.#live = live;
      return live;
    } catch (error) {
      this.#endings.add(dialled.then((opened) => opened.close()));
      if (isGivenUp()) return undefined;
      if (error instanceof ConnectionError && !this.#closed) this.breaker.dialFailed(error);
      throw error;
    }
  }

  /** Its end is waited for by `close` alone. */
  #discard(line: Line): void {
    this.#retired.delete(line);
    this.#endings.add(line.connection.close());
  }

  /** The distance both ways, whichever way the clock was set. */
  #since(ms: number): number {
    return Math.abs(this.options.clock.now() - ms);
  }
}
