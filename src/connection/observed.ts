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
import type { Events, SendAlong } from "../core/events.js";

/** The last event of each cache. Connections of several invocations share a breaker, whose events are emitted once. */
const lastEvent = new WeakMap<Events, ConnectionEvent>();

const ALONG: SendOptions = { idempotent: true, primary: true };

/** The connection of one cache, with its round trips and what happens to it as the cache's events. */
export class ObservedConnection implements Connection {
  readonly #inner: Connection;
  readonly #events: Events;
  /** Kept here, as connections hold it weakly. */
  readonly #watcher = (event: ConnectionEvent): void => this.#emit(event);
  readonly #unwatch: (() => void) | undefined;
  readonly #along: SendAlong = (commands) => this.#inner.send(commands, ALONG);

  constructor(inner: Connection, events: Events) {
    this.#inner = inner;
    this.#events = events;
    this.#unwatch = inner.watch?.(this.#watcher);
  }

  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]> {
    if (!this.#isHeard(commands.length)) return this.#inner.send(commands, options);
    return this.#observe(
      commands.map(([name]) => name.toUpperCase()),
      () => this.#inner.send(commands, options),
    );
  }

  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    if (!this.#isHeard(1)) return this.#inner.script(script, keys, args, options);
    return this.#observe([`script ${script.name}`], () => this.#inner.script(script, keys, args, options));
  }

  /** Each batch is a round trip. */
  async *scan(options: ScanOptions): AsyncIterable<string[]> {
    const batches = this.#inner.scan(options)[Symbol.asyncIterator]();
    const next = () => batches.next();
    try {
      for (;;) {
        const isHeard = this.#events.isHeard("roundTrip");
        // After the last batch nothing is sent.
        const step = await (isHeard ? this.#observe(["SCAN"], next, ({ done }) => !done) : next());
        if (step.done) return;
        this.#count(1);
        yield step.value;
      }
    } finally {
      await batches.return?.();
    }
  }

  status(): ConnectionStatus {
    return this.#inner.status();
  }

  replace(): void {
    this.#inner.replace?.();
  }

  watch(listener: (event: ConnectionEvent) => void): () => void {
    return this.#inner.watch?.(listener) ?? (() => {});
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

  #isHeard(commands: number): boolean {
    this.#count(commands);
    return this.#events.isHeard("roundTrip");
  }

  #count(commands: number): void {
    const { sent, used } = this.#events;
    sent.roundTrips++;
    sent.commands += commands;
    used?.(this.#along);
  }

  /**
   * Emits the event of a round trip when it has ended. The caller gets the transport's own promise.
   * @param wasSent whether there was a round trip, by its result @default always
   */
  #observe<T>(commands: readonly string[], work: () => Promise<T>, wasSent?: (result: T) => boolean): Promise<T> {
    const startedMs = performance.now();
    const result = this.#events.begin("roundTrip", () => ({ kind: "roundTrip", commands }))(work);
    const ended = (error: unknown): void => {
      const durationMs = performance.now() - startedMs;
      this.#events.emit("roundTrip", () => ({ commands, durationMs, error }));
    };
    result.then((got) => {
      if (wasSent?.(got) !== false) ended(undefined);
    }, ended);
    return result;
  }

  #emit(event: ConnectionEvent): void {
    if (lastEvent.get(this.#events) === event) return;
    lastEvent.set(this.#events, event);
    if (event.kind === "breaker") this.#events.emit("breaker", () => ({ state: event.state, error: event.error }));
    else {
      const { state, durationMs, error } = event;
      this.#events.emit("connection", () => ({ state, durationMs, error }));
    }
  }
}
