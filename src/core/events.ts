import { notify } from "./async.js";
import {
  ConfigurationError,
  ConnectionError,
  DecodeError,
  EncodeError,
  LoaderTimeoutError,
  ReplyError,
  show,
  TimeoutError,
} from "./errors.js";
import {
  type CacheEvents,
  type CallEvent,
  type Channels,
  type ErrorKind,
  EVENT_NAMES,
  type EventName,
  isEventName,
  type Listener,
  type Operation,
  type Run,
  type Tracer,
} from "./event-types.js";

const plainly: Run = (work) => work();

/** The cache that events come from. */
export interface EventSource {
  /** Its name: the key prefix. */
  readonly cache: string;
  /** Where it is kept: a host and its port, or the path of a socket. Absent for a store in the process. */
  readonly server?: { readonly address: string; readonly port?: number; readonly database: number } | undefined;
}

/** Tells listeners, channels and tracers what a cache does. An event that nobody hears is not made. */
export class Events {
  readonly #listeners = new Map<EventName, Set<(event: never) => void>>();
  readonly #tracers = new Set<Tracer>();
  readonly #onListenerError: (error: unknown) => void;
  readonly #channels: Channels | undefined;
  readonly source: EventSource;

  /** @param onListenerError called with the errors of listeners, which the calls that caused the events don't see */
  constructor(
    onListenerError: (error: unknown) => void = () => {},
    channels?: Channels,
    source: EventSource = { cache: "" },
  ) {
    this.#onListenerError = onListenerError;
    this.#channels = channels;
    this.source = source;
  }

  /** Adds a listener. @returns a function that removes it @throws TypeError on an unknown event, or without a listener */
  on<E extends EventName>(name: E, listener: Listener<E>): () => void {
    if (!isEventName(name)) {
      throw new TypeError(`on: ${show(name)} is not an event; give one of ${EVENT_NAMES.join(", ")}`);
    }
    if (typeof listener !== "function") {
      throw new TypeError(`on: the listener of "${name}" is ${show(listener)}; give a function`);
    }
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(name) === listeners) this.#listeners.delete(name);
    };
  }

  /** Adds a tracer. @returns a function that removes it */
  trace(tracer: Tracer): () => void {
    this.#tracers.add(tracer);
    return () => void this.#tracers.delete(tracer);
  }

  /** Whether anybody hears anything. */
  get isHeard(): boolean {
    return this.#listeners.size > 0 || this.#tracers.size > 0 || this.#channels?.isHeard === true;
  }

  emit<E extends EventName>(name: E, make: () => CacheEvents[E]): void {
    const listeners = this.#listeners.get(name) as Set<Listener<E>> | undefined;
    const isPublished = this.#channels?.hears(name) === true;
    if (!listeners && !isPublished) return;
    const event = make();
    if (isPublished) notify(() => this.#channels?.publish(name, event, this.source.cache), this.#onListenerError);
    for (const listener of listeners ?? []) notify(() => listener(event), this.#onListenerError);
  }

  /** What runs the work of an operation. Call it where the operation begins. */
  begin(make: () => Operation): Run {
    if (this.#tracers.size === 0 && this.#channels?.isHeard !== true) return plainly;
    const operation = make();
    let run = this.#channels?.trace(operation, this.source.cache) ?? plainly;
    for (const tracer of this.#tracers) {
      const inner = run;
      const outer = tracer(operation);
      run = (work) => outer(() => inner(work));
    }
    return run;
  }
}

/** Records what a call of a method finds, and tells of it. Made only when somebody listens. */
export class CacheCall implements CallEvent {
  readonly method: string;
  readonly key: string;
  readonly count: number;
  hits = 0;
  misses = 0;
  stale = 0;
  bytes = 0;
  savedMs = 0;
  durationMs = 0;
  error?: unknown;
  /** All is told that its result says. */
  told = false;
  #written = 0;
  readonly #events: Events;
  readonly #startedMs = performance.now();

  constructor(events: Events, { method, key, count }: Pick<CallEvent, "method" | "key" | "count">) {
    this.#events = events;
    this.method = method;
    this.key = key;
    this.count = count;
  }

  /** Whether it is known what was found. */
  get isAnswered(): boolean {
    return this.hits + this.misses + this.stale > 0;
  }

  /** Counts the size of a value that was found, and how long its load took. */
  found(bytes: number, savedMs: number): void {
    this.bytes += bytes;
    this.savedMs += savedMs;
  }

  /** Counts the size of values that are written. */
  carries(encoded: readonly { readonly length: number }[]): void {
    for (const { length } of encoded) {
      this.bytes += length;
      this.#written += length;
    }
  }

  /** Tells of hits. Count what was found first. */
  hit(count = 1, shared = false): void {
    if (count === 0) return;
    this.hits += count;
    const { bytes, savedMs } = this;
    this.#events.emit("hit", () => ({ ...this.#of(count), shared, bytes, savedMs }));
  }

  miss(count = 1, shared = false): void {
    if (count === 0) return;
    this.misses += count;
    this.#events.emit("miss", () => ({ ...this.#of(count), shared }));
  }

  foundStale(): void {
    this.stale++;
    this.#events.emit("stale", () => this.#of(1));
  }

  /** Tells of a change: `set`, `delete` or `expire`. */
  changed(name: "set" | "delete" | "expire", count: number): void {
    if (count === 0) return;
    const bytes = this.#written;
    this.#events.emit(name, () => ({ ...this.#of(count), bytes }));
  }

  /** Tells of entries that a lifetime of 0 or less has deleted. */
  ended(count: number): void {
    this.told = true;
    this.changed("delete", count);
  }

  /** Runs the call's work under the tracers, which see all that is recorded of it. @param onResult called with the result before the call ends */
  run<T>(work: () => Promise<T>, onResult: (result: T) => void): Promise<T> {
    return this.#events.begin(() => ({ kind: "call", call: this }))(async () => {
      try {
        const result = await work();
        onResult(result);
        this.durationMs = performance.now() - this.#startedMs;
        return result;
      } catch (error) {
        if (!this.isAnswered && this.method.startsWith("getOrSet")) this.miss(this.count);
        this.error = error;
        this.durationMs = performance.now() - this.#startedMs;
        emitError(this.#events, error, this);
        throw error;
      } finally {
        this.#events.emit("call", () => this);
      }
    });
  }

  #of(count: number) {
    const { method, key } = this;
    return { method, key, count };
  }
}

export function emitError(events: Events, error: unknown, { method, key }: { method: string; key: string }): void {
  events.emit("error", () => ({ method, key, error, kind: kindOf(error, method) }));
}

function kindOf(error: unknown, method: string): ErrorKind {
  if (error instanceof TimeoutError) return "timeout";
  if (error instanceof ConnectionError) return "connection";
  if (error instanceof ReplyError) return "reply";
  if (error instanceof DecodeError) return "decode";
  if (error instanceof EncodeError) return "encode";
  if (error instanceof LoaderTimeoutError) return "loader-timeout";
  if (error instanceof Error && error.name === "AbortError") return "aborted";
  if (method.startsWith("getOrSet")) return "loader";
  return error instanceof TypeError || error instanceof ConfigurationError ? "usage" : "other";
}
