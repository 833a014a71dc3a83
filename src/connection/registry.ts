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
  holders: number;
}

/** What this process has open, by full configuration: equal configurations share, and nothing else does. */
const entries = new Map<string, Entry>();

/**
 * A hold on the process's one connection for a configuration. The connection ends with its last hold.
 * @param key all that makes two configurations different, credentials included; it never leaves this map
 */
export function shared(key: string, make: () => Connection): Connection {
  const entry = entries.get(key) ?? { connection: make(), holders: 0 };
  entries.set(key, entry);
  entry.holders++;
  return new Hold(entry.connection, async () => {
    entry.holders--;
    if (entry.holders > 0) return;
    entries.delete(key);
    await entry.connection.close();
  });
}

class Hold implements Connection {
  readonly #connection: Connection;
  readonly #release: () => Promise<void>;
  #released: Promise<void> | undefined;

  constructor(connection: Connection, release: () => Promise<void>) {
    this.#connection = connection;
    this.#release = release;
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    return this.#released ? Promise.reject(closed()) : this.#connection.send(commands, options);
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    return this.#released ? Promise.reject(closed()) : this.#connection.script(script, keys, args, options);
  }

  async *scan(options: ScanOptions): AsyncIterable<string[]> {
    if (this.#released) throw closed();
    yield* this.#connection.scan(options);
  }

  status(): ConnectionStatus {
    if (this.#released) throw closed();
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

function closed(): ConnectionError {
  return new ConnectionError("the cache was closed; make a new one with createCache()");
}
