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

interface Entry {
  readonly connection: Connection;
  handles: number;
}

/** The open connections of this process, by their full configuration: only equal configurations share one. */
const entries = new Map<string, Entry>();

/**
 * A handle to the process's one connection for a configuration. The connection closes with its last handle.
 * @param key everything in which two configurations can differ, credentials included; it never leaves this map
 */
export function sharedConnection(key: string, make: () => Connection): Connection {
  const entry = entries.get(key) ?? { connection: make(), handles: 0 };
  entries.set(key, entry);
  entry.handles++;
  return new SharedHandle(entry.connection, async () => {
    entry.handles--;
    if (entry.handles > 0) return;
    entries.delete(key);
    await entry.connection.close();
  });
}

/** A handle to a connection that its owner closes. Closing the handle ends its own use. */
export function handleOf(connection: Connection): Connection {
  return new SharedHandle(connection, async () => {});
}

/** One handle. It refuses commands once it is closed, while other handles stay usable. */
class SharedHandle implements Connection {
  readonly #connection: Connection;
  readonly #release: () => Promise<void>;
  #released: Promise<void> | undefined;

  constructor(connection: Connection, release: () => Promise<void>) {
    this.#connection = connection;
    this.#release = release;
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    return this.#released ? Promise.reject(cacheClosedError()) : this.#connection.send(commands, options);
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    return this.#released ? Promise.reject(cacheClosedError()) : this.#connection.script(script, keys, args, options);
  }

  async *scan(options: ScanOptions): AsyncIterable<string[]> {
    if (this.#released) throw cacheClosedError();
    yield* this.#connection.scan(options);
  }

  status(): ConnectionStatus {
    if (this.#released) throw cacheClosedError();
    return this.#connection.status();
  }

  close(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export function cacheClosedError(): ConnectionError {
  return new ConnectionError("the cache was closed; make a new one with createCache()");
}
