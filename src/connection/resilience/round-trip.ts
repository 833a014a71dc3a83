import type { Command, Connection, SendOptions } from "../../core/connection.js";
import { ConnectionError, ReplyError, TimeoutError } from "../../core/errors.js";
import type { Clearable } from "./deadline.js";
import type { Dialer } from "./dialer.js";
import type { OpenConnection } from "./open-connection.js";

const NONE: readonly Command[] = [];

type Run<T> = (connection: Connection, roundTrip: RoundTrip<T>) => Promise<T>;

/**
 * One round trip under its deadline, dialling included. It is retried once when its connection is lost and it is
 * idempotent, or when the server refused to write. Every command passes through here: it costs one promise and one deadline.
 */
export class RoundTrip<T> {
  readonly #dialer: Dialer;
  readonly #run: Run<T>;
  readonly #options: SendOptions | undefined;
  readonly #commands: readonly Command[];
  readonly #resolve: (result: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #timeoutMs: number;
  #deadline: Clearable | undefined;
  #open: OpenConnection | undefined;
  /** The circuit breaker's generation in which this attempt began. */
  #generation = 0;
  #isRetried = false;
  #wasSent = false;
  /** The caller has its result or error. */
  isSettled = false;

  private constructor(
    dialer: Dialer,
    run: Run<T>,
    options: SendOptions | undefined,
    commands: readonly Command[],
    resolve: (result: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#dialer = dialer;
    this.#run = run;
    this.#options = options;
    this.#commands = commands;
    this.#resolve = resolve;
    this.#reject = reject;
    const { commandTimeoutMs } = dialer.options;
    this.#timeoutMs = Math.min(options?.timeoutMs ?? commandTimeoutMs, commandTimeoutMs);
  }

  /**
   * @param commands what is sent, where that is known, to name what a reply refuses
   * @throws {ConnectionError} @throws {TimeoutError}
   */
  static start<T>(dialer: Dialer, run: Run<T>, options?: SendOptions, commands: readonly Command[] = NONE): Promise<T> {
    return new Promise((resolve, reject) => new RoundTrip(dialer, run, options, commands, resolve, reject).#start());
  }

  #start(): void {
    const dialer = this.#dialer;
    const open = dialer.usable();
    if (!open && dialer.isClosed) throw dialer.closedError();
    this.#generation = dialer.breaker.admit();
    if (open) {
      this.#send(open);
      return;
    }
    // The first dial of all also loads the transport, so it has its own deadline only.
    if (dialer.wasOpen) this.#startDeadline();
    this.#connect();
  }

  #startDeadline(): void {
    this.#deadline ??= this.#dialer.deadlines.start(this.#timeoutMs, () => this.#timedOut());
  }

  #connect(): void {
    this.#dialer.connect().then(
      (open) => this.#send(open),
      (error) => {
        if (this.isSettled) return;
        // The dialer has already reported the failed dial to the breaker.
        this.#dialer.breaker.released(this.#generation);
        this.#fail(error);
      },
    );
  }

  #send(open: OpenConnection): void {
    if (this.isSettled) return;
    this.#open = open;
    this.#wasSent = true;
    open.pending++;
    this.#startDeadline();
    this.#run(open.connection, this).then(
      (result) => this.#onResult(open, result),
      (error) => this.#onError(open, error),
    );
  }

  #onResult(open: OpenConnection, result: T): void {
    const dialer = this.#dialer;
    dialer.replied(open);
    if (this.isSettled) return;
    dialer.breaker.succeeded();
    if (Array.isArray(result) && result.some(isError)) {
      void this.#onErrors(open, result);
      return;
    }
    this.#settle();
    this.#resolve(result);
  }

  /** A refused command had no effect, but the other commands of its batch may have had one. */
  async #onErrors(open: OpenConnection, result: T & unknown[]): Promise<void> {
    const isHarmless = this.#isRepeatable(open) || result.every(isRefusal);
    if (this.#goesElsewhere(open, result.find(isMisdirected), isHarmless)) return;
    const { availability, options } = this.#dialer;
    for (const [i, reply] of result.entries()) {
      if (isError(reply) && !this.#options?.probes) result[i] = availability.explain(reply, this.#commands[i]);
    }
    const refused = options.explain ? result.findIndex(isRefusal) : -1;
    const refusal: unknown = result[refused];
    if (options.explain && isRefusal(refusal)) result[refused] = await options.explain(refusal, open.connection);
    if (this.isSettled) return;
    this.#settle();
    this.#resolve(result);
  }

  /** @returns whether a retry has begun, over a connection to another server or to the cluster of this one */
  #goesElsewhere(open: OpenConnection, reply: unknown, isHarmless = true): boolean {
    return isMisdirected(reply) && this.#dialer.retireMisdirected(open, reply) && isHarmless && this.#retry();
  }

  #onError(open: OpenConnection, error: unknown): void {
    if (this.isSettled) return;
    const { breaker } = this.#dialer;
    if (!(error instanceof ConnectionError)) {
      this.#dialer.replied(open);
      breaker.succeeded();
      if (this.#goesElsewhere(open, error)) return;
      const { availability, options } = this.#dialer;
      const known = isError(error) ? availability.explain(error) : error;
      if (options.explain && isRefusal(known))
        void options.explain(known, open.connection).then((explained) => this.isSettled || this.#fail(explained));
      else this.#fail(known);
      return;
    }
    this.#dialer.failed(open, error);
    if (breaker.failed(this.#generation, error)) this.#dialer.abandon(open);
    if (error instanceof TimeoutError || !this.#isRepeatable(open) || !this.#retry()) this.#fail(error);
  }

  /** A slow server may carry out an abandoned write after its retry, and after later writes. */
  #isRepeatable({ isAbandoned }: OpenConnection): boolean {
    const { idempotent = false, readOnly = false } = this.#options ?? {};
    return readOnly || (idempotent && !isAbandoned);
  }

  /** @returns whether a retry has begun */
  #retry(): boolean {
    const { isClosed, breaker } = this.#dialer;
    if (this.#isRetried || isClosed) return false;
    try {
      this.#generation = breaker.admit();
    } catch {
      // The error of the first attempt says more than the breaker's refusal.
      return false;
    }
    this.#isRetried = true;
    this.#leave();
    this.#connect();
    return true;
  }

  #timedOut(): void {
    const { name, connectTimeoutMs } = this.#dialer.options;
    const ms = this.#timeoutMs;
    const open = this.#open;
    const error = new TimeoutError(
      open
        ? `${name} did not answer within ${ms} ms; check that it is reachable, or raise commandTimeout`
        : `${name} could not be reached again within ${ms} ms; check that it is running, or raise commandTimeout (connectTimeout is ${connectTimeoutMs} ms)`,
    );
    if (open) this.#dialer.failed(open, error);
    if (this.#dialer.breaker.failed(this.#generation, error) && open) this.#dialer.abandon(open);
    this.#fail(error);
  }

  #fail(error: unknown): void {
    if (this.#wasSent && error instanceof ConnectionError) error.mayHaveRun = true;
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.isSettled = true;
    this.#deadline?.clear();
    this.#leave();
  }

  #leave(): void {
    if (this.#open) this.#dialer.end(this.#open);
    this.#open = undefined;
  }
}

/** What a server refuses because another one, or a client for clusters, should be asked. */
const MISDIRECTED = /^(?:READONLY|MOVED|ASK|CROSSSLOT|CLUSTERDOWN)$/;

function isError(reply: unknown): reply is ReplyError {
  // This test is cheaper, and comes first.
  return reply instanceof Error && reply instanceof ReplyError;
}

function isMisdirected(reply: unknown): reply is ReplyError {
  return isError(reply) && MISDIRECTED.test(reply.code);
}

/** Whether the server as a whole may be the reason of a reply. Such a command had no effect. */
function isRefusal(reply: unknown): reply is ReplyError {
  return isMisdirected(reply) || (isError(reply) && /^unknown command/i.test(reply.detail));
}
