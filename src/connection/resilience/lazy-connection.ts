import type {
  Argument,
  Command,
  Connection,
  ConnectionEvent,
  ConnectionStatus,
  Reply,
  ScanOptions,
  Script,
  SendOptions,
} from "../../core/connection.js";
import { type DialConnection, Dialer, type DialerOptions } from "./dialer.js";
import { RoundTrip } from "./round-trip.js";

/**
 * A connection that its first command dials, and the next command dials again when it is lost. All callers share one dial.
 * Every round trip has a deadline. Idempotent round trips survive one lost connection. While the server is unreachable,
 * calls fail at once.
 */
export class LazyConnection implements Connection {
  readonly #dialer: Dialer;

  /** @param dial opens a connection; it rejects with a `ConnectionError`, and is never called twice at once */
  constructor(dial: DialConnection, options: DialerOptions) {
    this.#dialer = new Dialer(dial, options);
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (commands.length === 0) return Promise.resolve([]);
    return RoundTrip.start(this.#dialer, (connection) => connection.send(commands, options), options, commands);
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    return RoundTrip.start(
      this.#dialer,
      (connection, waiter) => connection.script(script, keys, args, { ...options, waiter }),
      options,
    );
  }

  async *scan(options: ScanOptions): AsyncIterable<string[]> {
    let owner: Connection | undefined;
    let batches: AsyncIterator<string[]> | undefined;
    // Ignore errors from closing an abandoned iterator.
    const leave = () => void batches?.return?.().catch(() => {});
    const next = (connection: Connection) => {
      if (!batches || connection !== owner) {
        // A cursor belongs to one connection, so another connection starts the scan again.
        leave();
        owner = connection;
        batches = connection.scan(options)[Symbol.asyncIterator]();
      }
      return batches.next();
    };
    try {
      for (;;) {
        const batch = await RoundTrip.start(this.#dialer, next, { readOnly: true });
        if (batch.done) return;
        yield batch.value;
      }
    } finally {
      leave();
    }
  }

  status(): ConnectionStatus {
    const { breaker, current, isClosed, availability } = this.#dialer;
    if (isClosed) throw this.#dialer.closedError();
    const { state, lastError } = breaker;
    const status = current?.connection.status();
    const { refusals } = availability;
    const unavailable = refusals
      ? [...(status?.unavailable ?? []), ...refusals.map(({ what }) => what)]
      : status?.unavailable;
    return {
      ...status,
      ...(unavailable && { unavailable }),
      ...(refusals && { refusals }),
      state: state === "closed" && !current ? "idle" : state,
      lastError,
    };
  }

  watch(listener: (event: ConnectionEvent) => void): () => void {
    return this.#dialer.watch(listener);
  }

  /** The primary has moved: later commands go over a new connection. Round trips in progress end on the old one. */
  replace(): void {
    this.#dialer.replace();
  }

  close(): Promise<void> {
    return this.#dialer.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
