import type {
  Argument,
  Command,
  Connection,
  ConnectionStatus,
  Reply,
  ScanOptions,
  Script,
  SendOptions,
} from "../core/connection.js";
import { ConnectionError } from "../core/errors.js";

/**
 * A connection whose code is loaded by its first command: a process that sends none need not read it. What is sent while
 * it loads runs in order.
 */
export class LateConnection implements Connection {
  readonly #open: () => Promise<Connection>;
  #opened: Connection | undefined;
  #opening: Promise<Connection> | undefined;
  #isClosed = false;

  /** @param open loads the code; it does no other I/O */
  constructor(open: () => Promise<Connection>) {
    this.#open = open;
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (this.#opened) return this.#opened.send(commands, options);
    return this.#once().then((connection) => connection.send(commands, options));
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    if (this.#opened) return this.#opened.script(script, keys, args, options);
    return this.#once().then((connection) => connection.script(script, keys, args, options));
  }

  async *scan(options: ScanOptions): AsyncIterable<string[]> {
    yield* (this.#opened ?? (await this.#once())).scan(options);
  }

  status(): ConnectionStatus {
    if (this.#opened) return this.#opened.status();
    if (this.#isClosed) throw closed();
    return { state: "idle", lastError: undefined };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await (this.#opened ?? (await this.#opening?.catch(() => undefined)))?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #once(): Promise<Connection> {
    if (this.#isClosed) return Promise.reject(closed());
    if (this.#opening) return this.#opening;
    const opening = this.#open();
    this.#opening = opening;
    opening.then(
      (connection) => {
        this.#opened = connection;
      },
      () => {
        this.#opening = undefined;
      },
    );
    return opening;
  }
}

function closed(): ConnectionError {
  return new ConnectionError("the cache was closed; make a new one with createCache()");
}
