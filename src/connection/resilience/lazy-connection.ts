import type {
  Argument,
  Command,
  Connection,
  ConnectionStatus,
  Reply,
  ScanOptions,
  Script,
  SendOptions,
} from "../../core/connection.js";
import { Call } from "./call.js";
import { type DialConnection, Dialer, type DialerOptions } from "./dialer.js";

export type LazyOptions = DialerOptions;

/**
 * A connection that is dialled by its first command, and again when it is lost: all callers share one dial, every flight
 * has a deadline, what may be repeated survives one lost connection, and while the server is gone calls fail at once.
 */
export class LazyConnection implements Connection {
  readonly #dialer: Dialer;

  /** @param dial opens a connection; it rejects with a `ConnectionError`, and is never called twice at once */
  constructor(dial: DialConnection, options: LazyOptions) {
    this.#dialer = new Dialer(dial, options);
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (commands.length === 0) return Promise.resolve([]);
    return Call.make(this.#dialer, (connection) => connection.send(commands, options), options);
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    return Call.make(this.#dialer, (to, call) => to.script(script, keys, args, { ...options, waiter: call }), options);
  }

  async *scan(options: ScanOptions): AsyncIterable<string[]> {
    let owner: Connection | undefined;
    let batches: AsyncIterator<string[]> | undefined;
    // What a walk that hangs makes of its end is nobody's business.
    const leave = () => void batches?.return?.().catch(() => {});
    const next = (connection: Connection) => {
      if (!batches || connection !== owner) {
        // A cursor is good for one connection: over another one the walk starts again.
        leave();
        owner = connection;
        batches = connection.scan(options)[Symbol.asyncIterator]();
      }
      return batches.next();
    };
    try {
      for (;;) {
        const batch = await Call.make(this.#dialer, next, { readOnly: true });
        if (batch.done) return;
        yield batch.value;
      }
    } finally {
      leave();
    }
  }

  status(): ConnectionStatus {
    const { breaker, isOpen, isClosed } = this.#dialer;
    if (isClosed) throw this.#dialer.closedError();
    const { state, lastError } = breaker;
    return { state: state === "closed" && !isOpen ? "idle" : state, lastError };
  }

  /** The server is not the right one any more: what begins from now on goes to one that is dialled then. */
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
