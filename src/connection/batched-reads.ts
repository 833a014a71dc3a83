import { atEndOfTurn, BATCH_SIZE } from "../core/async.js";
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
} from "../core/connection.js";
import type { NearReads } from "../core/near.js";

interface Queued {
  readonly commands: readonly Command[];
  readonly resolve: (replies: Reply[]) => void;
  readonly reject: (error: unknown) => void;
}

/** What commands may change: keys among these texts, or, where it is `undefined`, any key. */
type Written = readonly Argument[] | undefined;

/** Commands that change keys which they don't name. */
const OF_ALL = /^(FLUSH|SWAPDB)/i;

/**
 * A connection that sends the reads of one turn of the event loop in one round trip, when the turn is over or before the next
 * write, so that the order stays.
 */
export class BatchedReads implements Connection {
  readonly #inner: Connection;
  readonly #onWrite: (written: Written) => void;
  #queue: Queued[] = [];
  /** Those of all queued reads. */
  #options: SendOptions | undefined;

  /** @param onWrite called when commands that may write are sent, and when they have ended */
  constructor(inner: Connection, onWrite: (written: Written) => void) {
    this.#inner = inner;
    this.#onWrite = onWrite;
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (options?.readOnly && !options.atomic) return this.#join(commands, options);
    const written = options?.readOnly ? [] : commands.some(([name]) => OF_ALL.test(name)) ? undefined : commands.flat();
    return this.#next(written, () => this.#inner.send(commands, options));
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    return this.#next(options?.readOnly ? [] : keys, () => this.#inner.script(script, keys, args, options));
  }

  scan(options: ScanOptions): AsyncIterable<string[]> {
    return this.#inner.scan(options);
  }

  status(): ConnectionStatus {
    return this.#inner.status();
  }

  watch(listener: (event: ConnectionEvent) => void): () => void {
    return this.#inner.watch?.(listener) ?? (() => {});
  }

  replace(): void {
    this.#inner.replace?.();
  }

  get near(): NearReads | undefined {
    return this.#inner.near;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Sends at once, after the queued reads. */
  #next<T>(written: Written, send: () => Promise<T>): Promise<T> {
    this.#flush();
    const ended = (): void => this.#onWrite(written);
    ended();
    const result = send();
    result.then(ended, ended);
    return result;
  }

  #join(commands: readonly Command[], options: SendOptions): Promise<Reply[]> {
    if (this.#options !== options || this.#queue.length === BATCH_SIZE) this.#flush();
    this.#options = options;
    return new Promise((resolve, reject) => {
      if (this.#queue.push({ commands, resolve, reject }) === 1) atEndOfTurn(this.#flush);
    });
  }

  readonly #flush = (): void => {
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#queue = [];
    void this.#sendAll(queue, this.#options);
  };

  async #sendAll(queue: readonly Queued[], options: SendOptions | undefined): Promise<void> {
    try {
      const replies = await this.#inner.send(
        queue.flatMap(({ commands }) => commands),
        options,
      );
      let next = 0;
      for (const { commands, resolve } of queue) resolve(commands.map(() => replies[next++] ?? null));
    } catch (error) {
      for (const { reject } of queue) reject(error);
    }
  }
}
