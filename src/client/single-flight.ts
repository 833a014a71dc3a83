import type { Encoded } from "../codec/envelope.js";
import { moment, refuseCycle, untilAborted } from "../core/async.js";
import type { CacheCall } from "../core/events.js";

/** What shared work can learn of the callers that share it. */
export interface Shared {
  /** Whether the entry was neither written nor deleted in this process since the work began. */
  isCurrent(): boolean;
  /** Fires when the last caller has left. */
  signal(): AbortSignal;
  /** Says that the work has found no value: it loads one, as one of its callers, or waits for one that another process loads. */
  enters(stage: "load" | "wait"): void;
}

/** Running work of this process, by key. Callers of a key that is running share its work. */
export class Coalesced<T> {
  readonly #running = new Map<string, SharedWork<T>>();
  /** Work that has found no value, also where later callers don't join it. */
  readonly #loading = new Set<SharedWork<T>>();
  readonly #onJoin: (key: string) => void;

  /** @param onJoin called when a caller joins running work; what it throws is the caller's */
  constructor(onJoin: (key: string) => void = () => {}) {
    this.#onJoin = onJoin;
  }

  /**
   * Runs `work`, or joins the work that runs for `key`. Throws what `onJoin` throws.
   * @param leads maps the result for the caller that started the work
   * @param follows maps it for every other caller
   * @param signal ends this caller's wait, with the signal's reason
   * @param unheard called when the work fails after all callers have left, unless it fails with their signal's reason
   */
  run<R>(
    key: string,
    work: (shared: Shared) => Promise<T>,
    leads: (result: T) => R | Promise<R>,
    follows: (result: T) => R | Promise<R>,
    signal?: AbortSignal,
    unheard?: (error: unknown) => void,
  ): Promise<R> {
    const running = this.#running.get(key);
    // Work that all callers have left is ending with their signal's reason, which is not this caller's.
    if (running && !running.isGivenUp) {
      this.#onJoin(key);
      return running.join(signal).then(follows);
    }
    const started = new SharedWork<T>(this.#running, this.#loading, key);
    this.#running.set(key, started);
    return started.lead(work, leads, signal, unheard);
  }

  /** The result of work that runs for `key`; `undefined` if none does. @param signal ends this caller's wait @throws as `run` */
  join(key: string, signal: () => AbortSignal): Promise<T> | undefined {
    const running = this.#running.get(key);
    if (!running || running.isGivenUp) return undefined;
    this.#onJoin(key);
    return running.join(signal());
  }

  /** Whether a caller of this key joins work now that has begun before this moment. */
  isRunning(key: string): boolean {
    const running = this.#running.get(key);
    return running !== undefined && !running.isGivenUp && running.moment !== moment();
  }

  /** How many callers wait for a value that another caller loads. */
  get waiters(): number {
    let count = 0;
    for (const { waiters } of this.#loading) count += waiters;
    return count;
  }

  /** Later callers start new work: the entry was written, and running work may be older. */
  forget(key: string): void {
    this.#running.delete(key);
  }

  forgetAll(): void {
    this.#running.clear();
  }
}

class SharedWork<T> implements Shared {
  readonly moment = moment();
  readonly #running: Map<string, SharedWork<T>>;
  readonly #loading: Set<SharedWork<T>>;
  readonly #key: string;
  #stage: "load" | "wait" | undefined;
  #result: Promise<T> | undefined;
  #controller: AbortController | undefined;
  #waiting = 0;

  constructor(running: Map<string, SharedWork<T>>, loading: Set<SharedWork<T>>, key: string) {
    this.#running = running;
    this.#loading = loading;
    this.#key = key;
  }

  isCurrent(): boolean {
    return this.#running.get(this.#key) === this;
  }

  /** Starts the work. Returns the first caller's result. */
  lead<R>(
    work: (shared: Shared) => Promise<T>,
    leads: (result: T) => R | Promise<R>,
    signal: AbortSignal | undefined,
    unheard: ((error: unknown) => void) | undefined,
  ): Promise<R> {
    const result = work(this);
    this.#result = result;
    if (signal) {
      result.then(
        () => this.#over(),
        (error: unknown) => {
          this.#over();
          // No caller is left to get the error.
          if (this.isGivenUp && error !== this.signal().reason) unheard?.(error);
        },
      );
      return this.join(signal).then(leads);
    }
    // Most calls have no signal: they get by with one promise.
    this.#waiting++;
    return result.then(
      (value) => {
        this.#over();
        return leads(value);
      },
      (error: unknown) => {
        this.#over();
        throw error;
      },
    );
  }

  #over(): void {
    // Lets the garbage collector free the answer early.
    this.#result = undefined;
    if (this.#stage) this.#loading.delete(this);
    if (this.isCurrent()) this.#running.delete(this.#key);
  }

  enters(stage: "load" | "wait"): void {
    this.#stage = stage;
    this.#loading.add(this);
  }

  /** Of its callers, one runs the loader. */
  get waiters(): number {
    return Math.max(0, this.#stage === "load" ? this.#waiting - 1 : this.#waiting);
  }

  signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  get isGivenUp(): boolean {
    return this.#controller?.signal.aborted ?? false;
  }

  join(signal: AbortSignal | undefined): Promise<T> {
    const result = this.#result as Promise<T>;
    this.#waiting++;
    if (!signal) return result;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason);
        this.#waiting--;
        if (this.#waiting > 0) return;
        this.#controller ??= new AbortController();
        this.#controller.abort(signal.reason);
      };
      if (signal.aborted) return leave();
      signal.addEventListener("abort", leave, { once: true });
      result.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
    });
  }
}

/** Runs work that one caller waits for until its signal fires. @param unheard called when the work fails after that */
export function forOneCaller<T>(
  work: (shared: Shared) => Promise<T>,
  signal: AbortSignal | undefined,
  unheard: (error: unknown) => void,
): Promise<T> {
  const same = (result: T): T => result;
  return new Coalesced<T>().run("", work, same, same, signal, unheard);
}

/** The most keys that are remembered as recently fresh. */
const MAX_KEYS = 10_000;

/**
 * Keys that this process has read as fresh, and until when they are. A plain GET is enough for them: transports batch
 * it, replicas serve it, and servers that refuse writes answer it. It is a hint: an entry that is gone costs one more
 * round trip. When it is full, the key that was added longest ago is evicted.
 */
export class RecentlyFresh {
  readonly #freshUntilMs = new Map<string, number>();

  has(key: string, nowMs: number): boolean {
    return (this.#freshUntilMs.get(key) ?? 0) > nowMs;
  }

  add(key: string, freshUntilMs: number): void {
    const keys = this.#freshUntilMs;
    // A map iterates in the order of insertion: a key that is added again becomes the newest.
    keys.delete(key);
    if (keys.size >= MAX_KEYS) for (const oldest of keys.keys()) if (keys.delete(oldest)) break;
    keys.set(key, freshUntilMs);
  }

  delete(key: string): void {
    this.#freshUntilMs.delete(key);
  }

  clear(): void {
    this.#freshUntilMs.clear();
  }
}

/** A value and, if it is stored, its encoded form, from which each further caller gets its own copy. */
export interface Answer {
  readonly value: unknown;
  readonly encoded: Encoded | undefined;
  /** What is stored, with its tags, by which callers that share it learn whether it was purged before they came. @default no tags */
  readonly stored?: Encoded | undefined;
  /** What the lookup found, for callers that share it. */
  readonly found: "hit" | "miss" | "stale";
  /** How long the load of a hit took. @default 0 */
  readonly savedMs?: number;
  /** The refreshed value, for the caller that refreshes and waits for it; `undefined` where there is none. */
  readonly refreshed?: Promise<Answer | undefined>;
}

/** Records a caller that has shared another one's lookup. */
export function recordShared(call: CacheCall, { found, encoded, savedMs = 0 }: Answer): void {
  if (found !== "miss") call.found(encoded?.length ?? 0, savedMs);
  if (found === "miss") call.miss(1, true);
  else if (found === "hit") call.hit(1, true);
  else call.foundStale();
}

/** The value for the caller that has loaded it. It waits for a refresh, which callers that joined do not. */
export function valueForLeader({ value, refreshed }: Answer, signal?: AbortSignal): unknown {
  if (!refreshed) return value;
  const newest = refreshed.then((answer) => (answer ?? { value }).value);
  return signal ? untilAborted(newest, signal) : newest;
}

/** What callers of one key share: in the whole process, or in one invocation if the host keeps invocations apart. */
export class Sharing {
  /** Lookups and loads for callers that take what is stored. */
  readonly running = new Coalesced<Answer>((key) => refuseCycle(this, key));
  /** Loads for callers that do not take what is stored. */
  readonly forced = new Coalesced<Answer>((key) => refuseCycle(this, key));
  readonly recentlyFresh = new RecentlyFresh();
  /** Keys that are refreshed in the background, each with its refresh. */
  readonly #refreshing = new Map<string, object>();
  /** Keys of loads in progress that were neither written nor deleted since the loads began. */
  readonly #watched = new Set<Set<string>>();

  /** How many callers wait for a value that another caller loads. */
  get waiters(): number {
    return this.running.waiters + this.forced.waiters;
  }

  /** Begins a refresh. @returns a function that ends it; `undefined` when the key is being refreshed */
  startRefresh(key: string): (() => void) | undefined {
    if (this.#refreshing.has(key)) return undefined;
    const refresh = {};
    this.#refreshing.set(key, refresh);
    // Another refresh may have begun meanwhile, after the entry was written or deleted.
    return () => void (this.#refreshing.get(key) === refresh && this.#refreshing.delete(key));
  }

  /** Begins a load of several keys. `current` loses each key that is written or deleted in this process until `end` is called. */
  watch(keys: Iterable<string>): { readonly current: ReadonlySet<string>; end(): void } {
    const current = new Set(keys);
    this.#watched.add(current);
    return { current, end: () => void this.#watched.delete(current) };
  }

  /** Whether a load in progress will store the entry: one that `watch` knows, of several keys or without a lease. */
  isLoading(key: string): boolean {
    for (const keys of this.#watched) if (keys.has(key)) return true;
    return false;
  }

  /** Call when an entry was written or deleted, because running work and hints may be older. */
  forget(key: string): void {
    this.running.forget(key);
    this.forced.forget(key);
    this.recentlyFresh.delete(key);
    this.#refreshing.delete(key);
    for (const keys of this.#watched) keys.delete(key);
  }

  /** As `forget`, for every entry. */
  forgetAll(): void {
    this.running.forgetAll();
    this.forced.forgetAll();
    this.recentlyFresh.clear();
    this.#refreshing.clear();
    for (const keys of this.#watched) keys.clear();
  }
}
