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
import type { Events } from "../core/events.js";

/** The connection of one cache, with its round trips and what happens to it as the cache's events. */
export class ObservedConnection implements Connection {
  readonly #inner: Connection;
  readonly #events: Events;
  readonly #unwatch: (() => void) | undefined;

  constructor(inner: Connection, events: Events) {
    this.#inner = inner;
    this.#events = events;
    this.#unwatch = inner.watch?.((event) => this.#tell(event));
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (!this.#events.isHeard) return this.#inner.send(commands, options);
    return this.#observe(
      commands.map(([name]) => name.toUpperCase()),
      () => this.#inner.send(commands, options),
    );
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    if (!this.#events.isHeard) return this.#inner.script(script, keys, args, options);
    return this.#observe([`script ${script.name}`], () => this.#inner.script(script, keys, args, options));
  }

  scan(options: ScanOptions): AsyncIterable<string[]> {
    return this.#inner.scan(options);
  }

  status(): ConnectionStatus {
    return this.#inner.status();
  }

  async close(): Promise<void> {
    try {
      await this.#inner.close();
    } finally {
      this.#unwatch?.();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #observe<T>(commands: readonly string[], work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    let error: unknown;
    try {
      return await this.#events.begin(() => ({ kind: "roundTrip", commands }))(work);
    } catch (cause) {
      error = cause;
      throw cause;
    } finally {
      const durationMs = performance.now() - startedMs;
      this.#events.emit("roundTrip", () => ({ commands, durationMs, error }));
    }
  }

  #tell(event: ConnectionEvent): void {
    if (event.kind === "breaker") this.#events.emit("breaker", () => ({ state: event.state, error: event.error }));
    else {
      const { state, durationMs, error } = event;
      this.#events.emit("connection", () => ({ state, durationMs, error }));
    }
  }
}
