import { notify } from "./async.js";
import {
  ConfigurationError,
  ConnectionError,
  DecodeError,
  EncodeError,
  LoaderCycleError,
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
  EVENTS_OF,
  type EventName,
  isEventName,
  type Listener,
  type Operation,
  type Recorded,
  type Run,
  type Tracer,
} from "./event-types.js";
import { HeldLeases } from "./held-leases.js";

const plainly: Run = (work) => work();

const KINDS = Object.keys(EVENTS_OF) as Recorded[];

/** One round trip in so many is a sample. A prime number, so that it doesn't keep step with a pattern of calls. */
const SAMPLED = 17;

/** Sends commands to the primary over the connection of a round trip. @returns replies in the shapes of the connection */
export type SendAlong = (commands: readonly (readonly [string, ...string[]])[]) => Promise<readonly unknown[]>;

/** The cache that events come from. */
export interface EventSource {
  /** Its name: the key prefix. */
  readonly cache: string;
  /** Where it is kept: a host and its port, or the path of a socket. Absent for a store in the process. */
  readonly server?: { readonly address: string; readonly port?: number; readonly database: number } | undefined;
}

/** Notifies listeners, channels and tracers of what a cache does. An event without listener or subscriber is not made. */
export class Events {
  /** Arrays that are replaced and never changed, as listeners come and go while they are called. */
  readonly #listeners = new Map<EventName, readonly ((event: never) => void)[]>();
  /** What has listeners. */
  readonly #heard = new Set<Recorded>();
  readonly #tracers = new Set<Tracer>();
  readonly #onListenerError: (error: unknown) => void;
  readonly #channels: Channels | undefined;
  readonly #source: EventSource;
  /** What the cache has sent, and what it has not, as the process knew the answer; with and without listeners. */
  readonly sent = { roundTrips: 0, commands: 0, nearHits: 0 };
  readonly #held = new HeldLeases();
  /** @internal Called before each round trip with what sends other commands along with it, below the near cache and uncounted. */
  used: ((send: SendAlong) => void) | undefined;
  /** What the near cache holds, where there is one. */
  near: { readonly entries: number; readonly size: number } | undefined;
  #samplers = 0;

  /** @param onListenerError called with the errors of listeners and tracers, which the calls that caused the events don't see */
  constructor(
    onListenerError: (error: unknown) => void = () => {},
    channels?: Channels,
    source: EventSource = { cache: "" },
  ) {
    this.#onListenerError = onListenerError;
    this.#channels = channels;
    this.#source = source;
  }

  /** @internal The leases of the cache that this process holds now. */
  get held(): HeldLeases {
    return this.#held;
  }

  /** Not a field, as a cache that is printed shows those. */
  get source(): EventSource {
    return this.#source;
  }

  /** Adds a listener. @returns a function that removes it @throws TypeError on an unknown event, or without a listener */
  on<E extends EventName>(name: E, listener: Listener<E>): () => void {
    if (!isEventName(name)) {
      throw new TypeError(`on: ${show(name)} is not an event; give one of ${EVENT_NAMES.join(", ")}`);
    }
    if (typeof listener !== "function") {
      throw new TypeError(`on: the listener of "${name}" is ${show(listener)}; give a function`);
    }
    // A function of its own, so that the same listener can be added twice and each time be removed by itself.
    const added: Listener<E> = (event) => listener(event);
    this.#setListeners(name, [...(this.#listeners.get(name) ?? []), added]);
    return () => this.#setListeners(name, this.#listeners.get(name)?.filter((one) => one !== added) ?? []);
  }

  #setListeners(name: EventName, listeners: readonly ((event: never) => void)[]): void {
    if (listeners.length > 0) this.#listeners.set(name, listeners);
    else this.#listeners.delete(name);
    this.#heard.clear();
    for (const kind of KINDS) if (EVENTS_OF[kind].some((one) => this.#hasListeners(one))) this.#heard.add(kind);
  }

  /** Whether there are listeners that want all events of this name. */
  #hasListeners(name: EventName): boolean {
    return (this.#listeners.get(name)?.length ?? 0) > (name === "roundTrip" ? this.#samplers : 0);
  }

  /**
   * Adds a listener of round trips that makes do with a sample of them, as timing each would cost more than all else that is
   * counted. It hears of all where another listener does. @returns a function that removes it
   */
  sample(listener: Listener<"roundTrip">): () => void {
    this.#samplers++;
    const stop = this.on("roundTrip", listener);
    return () => {
      this.#samplers--;
      stop();
    };
  }

  /** Adds a tracer. @returns a function that removes it */
  trace(tracer: Tracer): () => void {
    this.#tracers.add(tracer);
    return () => void this.#tracers.delete(tracer);
  }

  /** Whether this kind of operation, or an event that is made of its record, has listeners, subscribers or tracers. */
  isHeard(kind: Recorded): boolean {
    if (this.#tracers.size > 0 || this.#heard.has(kind)) return true;
    if (kind === "roundTrip" && this.#samplers > 0 && this.sent.roundTrips % SAMPLED === 0) return true;
    return this.#channels?.isHeard(kind) === true;
  }

  emit<E extends EventName>(name: E, make: () => CacheEvents[E]): void {
    const listeners = this.#listeners.get(name) as readonly Listener<E>[] | undefined;
    const isPublished = this.#channels?.hears(name) === true;
    if (!listeners && !isPublished) return;
    const event = make();
    if (isPublished) notify(() => this.#channels?.publish(name, event, this.#source.cache), this.#onListenerError);
    if (listeners) for (const listener of listeners) notify(listener, this.#onListenerError, event);
  }

  /** What runs the work of an operation. Call it where the operation begins. */
  begin(kind: Operation["kind"], make: () => Operation): Run {
    if (this.#tracers.size === 0 && this.#channels?.isHeard(kind) !== true) return plainly;
    const operation = make();
    let run = this.#channels?.trace(operation, this.#source.cache) ?? plainly;
    for (const tracer of this.#tracers) {
      const inner = run;
      notify(() => {
        const outer = tracer(operation);
        run = (work) => outer(() => inner(work));
      }, this.#onListenerError);
    }
    return run;
  }
}

/** The record of one call: what it finds and changes, from which its events are made. It exists only where it has listeners. */
export class CacheCall implements CallEvent {
  readonly method: string;
  readonly key: string;
  readonly count: number;
  hits = 0;
  misses = 0;
  stale = 0;
  bytes = 0;
  bytesWritten = 0;
  savedMs = 0;
  durationMs = 0;
  error: unknown = undefined;
  readonly startedMs = performance.now();
  readonly #events: Events;
  #hasChanged = false;
  /** Its event was emitted, so that its counts are final: work that it has begun may go on for other callers. */
  #isOver = false;

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

  /** Whether a client has recorded what its result says. */
  get isRecorded(): boolean {
    return this.#hasChanged || this.isAnswered;
  }

  /** Counts the size of a value that was found, and how long its load took. */
  found(bytes: number, savedMs: number): void {
    if (this.#isOver) return;
    this.bytes += bytes;
    this.savedMs += savedMs;
  }

  /** Counts the size of values that are written. */
  carries(encoded: readonly { readonly length: number }[]): void {
    for (const { length } of encoded) {
      this.bytes += length;
      this.bytesWritten += length;
    }
  }

  /** Records hits. Count what was found first. */
  hit(count = 1, shared = false): void {
    if (count === 0 || this.#isOver) return;
    this.hits += count;
    const { bytes, savedMs } = this;
    this.#events.emit("hit", () => ({ ...this.#of(count), shared, bytes, savedMs }));
  }

  miss(count = 1, shared = false): void {
    if (count === 0 || this.#isOver) return;
    this.misses += count;
    this.#events.emit("miss", () => ({ ...this.#of(count), shared }));
  }

  foundStale(): void {
    if (this.#isOver) return;
    this.stale++;
    this.#events.emit("stale", () => this.#of(1));
  }

  /** Records that entries, members or fields were stored. */
  stored(count: number): void {
    this.#hasChanged = true;
    const bytes = this.bytesWritten;
    if (count > 0) this.#events.emit("set", () => ({ ...this.#of(count), bytes }));
  }

  /** Records that entries, members or fields were deleted, or that an entry was given another lifetime. */
  changed(name: "delete" | "expire", count: number): void {
    this.#hasChanged = true;
    if (count > 0) this.#events.emit(name, () => this.#of(count));
  }

  /**
   * Runs the call's work under the tracers, which see all that is recorded of it. The caller gets the work's own promise, so
   * that a call takes no turn more for being observed.
   * @param onResult called with the result before the call ends
   * @param onFailure called when it has none
   */
  run<T>(
    work: (call: CacheCall) => Promise<T>,
    onResult: (call: CacheCall, result: T) => void,
    onFailure: (call: CacheCall) => void,
  ): Promise<T> {
    return this.#events.begin("call", () => ({ kind: "call", call: this }))(() => {
      const result = started(work, this);
      result.then(
        (got) => {
          // A result that is not the method's fails in the cache itself.
          notify(onResult, () => {}, this, got);
          this.#end();
        },
        (error: unknown) => {
          this.error = error;
          onFailure(this);
          emitError(this.#events, error, this);
          this.#end();
        },
      );
      return result;
    });
  }

  #end(): void {
    this.#isOver = true;
    this.durationMs = performance.now() - this.startedMs;
    this.#events.emit("call", () => this);
  }

  #of(count: number) {
    const { method, key } = this;
    return { method, key, count };
  }
}

function started<T>(work: (call: CacheCall) => Promise<T>, call: CacheCall): Promise<T> {
  try {
    return work(call);
  } catch (error) {
    return Promise.reject(error);
  }
}

export function emitError(events: Events, error: unknown, { method, key }: { method: string; key: string }): void {
  events.emit("error", () => ({ method, key, error, kind: kindOf(error, method) }));
}

/** Errors that loaders have thrown, whatever their class: a loader may ask another cache. */
const thrownByLoaders = new WeakSet<object>();

export function markLoaderError(error: unknown): void {
  if (typeof error === "object" && error !== null) thrownByLoaders.add(error);
}

function kindOf(error: unknown, method: string): ErrorKind {
  if (error instanceof LoaderTimeoutError) return "loader-timeout";
  if (typeof error !== "object" || error === null) return method.startsWith("getOrSet") ? "loader" : "other";
  if (thrownByLoaders.has(error)) return "loader";
  if (error instanceof TimeoutError) return "timeout";
  if (error instanceof ConnectionError) return "connection";
  if (error instanceof ReplyError) return "reply";
  if (error instanceof DecodeError) return "decode";
  if (error instanceof EncodeError) return "encode";
  if (error instanceof TypeError || error instanceof ConfigurationError || error instanceof LoaderCycleError)
    return "usage";
  // An `AbortSignal` may have any reason. A loader's own errors were recognised above.
  if (error instanceof DOMException || method.startsWith("getOrSet")) return "aborted";
  return "other";
}
