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
import { ConfigurationError } from "../core/errors.js";
import { cacheClosedError } from "./registry.js";
import { type Watcher, Watchers } from "./resilience/watchers.js";

/**
 * A connection whose code is loaded by its first command, so that a process without commands doesn't load it. Commands
 * that are sent while it loads run in order.
 */
export class DeferredConnection implements Connection {
  readonly #open: () => Promise<Connection>;
  #opened: Connection | undefined;
  #opening: Promise<Connection> | undefined;
  #isClosed = false;
  readonly #watchers = new Watchers();
  readonly #pass: Watcher = (event) => this.#watchers.notify(event);

  /** @param open loads the code; it does no other I/O */
  constructor(open: () => Promise<Connection>) {
    this.#open = open;
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (this.#opened) return this.#opened.send(commands, options);
    return this.#load().then((connection) => connection.send(commands, options));
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    if (this.#opened) return this.#opened.script(script, keys, args, options);
    return this.#load().then((connection) => connection.script(script, keys, args, options));
  }

  async *scan(options: ScanOptions): AsyncIterable<string[]> {
    yield* (this.#opened ?? (await this.#load())).scan(options);
  }

  watch(listener: Watcher): () => void {
    return this.#watchers.add(listener);
  }

  replace(): void {
    this.#opened?.replace?.();
  }

  status(): ConnectionStatus {
    if (this.#opened) return this.#opened.status();
    if (this.#isClosed) throw cacheClosedError();
    return { state: "idle", lastError: undefined };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await (this.#opened ?? (await this.#opening?.catch(() => undefined)))?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #load(): Promise<Connection> {
    if (this.#isClosed) return Promise.reject(cacheClosedError());
    if (this.#opening) return this.#opening;
    const opening = this.#open();
    this.#opening = opening;
    opening.then(
      (connection) => {
        this.#opened = connection;
        connection.watch?.(this.#pass);
      },
      () => {
        this.#opening = undefined;
      },
    );
    return opening;
  }
}

/** Replaces the connection on hosts where only an invocation can have one. Every command throws, before any I/O. */
export function outsideInvocation(name: string): Connection {
  const refusal = () =>
    new ConfigurationError(
      `${name}: on this host I/O belongs to one request, and this cache belongs to none; ` +
        "inside the handler use cache.for({ waitUntil: (p) => ctx.waitUntil(p) }), and close that when the request is done",
    );
  const close = async (): Promise<void> => {};
  return {
    send: async () => {
      throw refusal();
    },
    script: async () => {
      throw refusal();
    },
    // biome-ignore lint/correctness/useYield: there is nothing to scan
    async *scan() {
      throw refusal();
    },
    status: () => ({ state: "idle", lastError: undefined }),
    close,
    [Symbol.asyncDispose]: close,
  };
}
