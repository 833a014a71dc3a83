import type { Connection, SendOptions } from "../../core/connection.js";
import { ConnectionError, ReplyError, TimeoutError } from "../../core/errors.js";
import type { Clearable } from "./deadline.js";
import type { Dialer, Line } from "./dialer.js";

type Run<T> = (connection: Connection, call: Call<T>) => Promise<T>;

/**
 * One flight under its deadline, dialling included, and once more when its connection is lost and it is idempotent, or
 * when the server refused to write. Every command is one: so it is one promise and one timer.
 */
export class Call<T> {
  readonly #dialer: Dialer;
  readonly #run: Run<T>;
  readonly #options: SendOptions | undefined;
  readonly #resolve: (result: T) => void;
  readonly #reject: (error: unknown) => void;
  #timer: Clearable | undefined;
  #line: Line | undefined;
  #era = 0;
  #isRepeated = false;
  /** Its caller has an answer, or none will come. */
  isSettled = false;

  private constructor(
    dialer: Dialer,
    run: Run<T>,
    options: SendOptions | undefined,
    resolve: (result: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#dialer = dialer;
    this.#run = run;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  static make<T>(dialer: Dialer, run: Run<T>, options?: SendOptions): Promise<T> {
    return new Promise((resolve, reject) => new Call(dialer, run, options, resolve, reject).#start());
  }

  #start(): void {
    const dialer = this.#dialer;
    if (dialer.isClosed) throw dialer.closedError();
    this.#era = dialer.breaker.admit();
    const line = dialer.usable();
    if (line) {
      this.#fly(line);
      return;
    }
    // The first dial of all loads the transport, too: it has its own deadline alone.
    if (dialer.wasOpen) this.#arm();
    this.#connect();
  }

  #arm(): void {
    this.#timer ??= this.#dialer.deadlines.start(this.#timeoutMs, () => this.#late());
  }

  get #timeoutMs(): number {
    const { commandTimeoutMs } = this.#dialer.options;
    const timeoutMs = this.#options?.timeoutMs;
    return timeoutMs === undefined || timeoutMs > commandTimeoutMs ? commandTimeoutMs : timeoutMs;
  }

  #connect(): void {
    this.#dialer.connect().then(
      (line) => this.#fly(line),
      (error) => {
        if (this.isSettled) return;
        // A failed dial has told the breaker by itself.
        this.#dialer.breaker.released(this.#era);
        this.#fail(error);
      },
    );
  }

  #fly(line: Line): void {
    if (this.isSettled) return;
    this.#line = line;
    this.#dialer.begin(line);
    this.#arm();
    this.#run(line.connection, this).then(
      (result) => this.#answered(line, result),
      (error) => this.#failed(line, error),
    );
  }

  #answered(line: Line, result: T): void {
    const dialer = this.#dialer;
    dialer.heard(line);
    if (this.isSettled) return;
    dialer.breaker.succeeded();
    if (Array.isArray(result) && result.some(isReadonly) && dialer.demoted(line)) {
      // Nothing was carried out of a command that was refused, which can't be said of its neighbours.
      if ((this.#isRepeatable(line) || result.length === 1) && this.#repeat()) return;
    }
    this.#settle();
    this.#resolve(result);
  }

  #failed(line: Line, error: unknown): void {
    if (this.isSettled) return;
    const { breaker } = this.#dialer;
    if (!(error instanceof ConnectionError)) {
      this.#dialer.heard(line);
      breaker.succeeded();
      if (!isReadonly(error) || !this.#dialer.demoted(line) || !this.#repeat()) this.#fail(error);
      return;
    }
    this.#dialer.suspect(line, error);
    if (breaker.failed(this.#era, error)) this.#dialer.giveUp(line);
    if (error instanceof TimeoutError || !this.#isRepeatable(line) || !this.#repeat()) this.#fail(error);
  }

  /** A server that is slow may carry out a write after its repetition, and after what was written since. */
  #isRepeatable({ isGivenUp }: Line): boolean {
    const { idempotent = false, readOnly = false } = this.#options ?? {};
    return readOnly || (idempotent && !isGivenUp);
  }

  /** Whether it goes on. */
  #repeat(): boolean {
    const { isClosed, breaker } = this.#dialer;
    if (this.#isRepeated || isClosed) return false;
    try {
      this.#era = breaker.admit();
    } catch {
      // The first failure tells more.
      return false;
    }
    this.#isRepeated = true;
    this.#leave();
    this.#connect();
    return true;
  }

  #late(): void {
    const { name, connectTimeoutMs } = this.#dialer.options;
    const ms = this.#timeoutMs;
    const line = this.#line;
    const error = new TimeoutError(
      line
        ? `${name} did not answer within ${ms} ms; see whether it is reachable, or raise commandTimeout`
        : `${name} could not be reached again within ${ms} ms; see whether it runs, or raise commandTimeout (connectTimeout is ${connectTimeoutMs} ms)`,
    );
    if (line) this.#dialer.suspect(line, error);
    if (this.#dialer.breaker.failed(this.#era, error) && line) this.#dialer.giveUp(line);
    this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.isSettled = true;
    this.#timer?.clear();
    this.#leave();
  }

  #leave(): void {
    if (this.#line) this.#dialer.end(this.#line);
    this.#line = undefined;
  }
}

function isReadonly(reply: unknown): boolean {
  return reply instanceof ReplyError && reply.code === "READONLY";
}
