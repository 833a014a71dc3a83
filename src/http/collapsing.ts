import type { NearReads } from "../core/near.js";
import { Wait } from "../lease/wait.js";
import type { Settings } from "./options.js";

/** After this number of lease holders have failed in a row, a waiting request goes to the origin itself. */
const MAX_HOLDERS = 3;

/**
 * One request's wait for another one's response. It waits for one response only. When that has come and can't be used for
 * this request, the request goes to the origin itself, so that no client waits twice. When the lease holder fails, one
 * waiting request at a time takes its place, and the others wait on.
 *
 * There is one exception: a request that has waited for a URL's response, and learns from that which header fields select
 * a response, may wait once more, for the variant that it needs. The variant's holder has begun at the same moment, so
 * asking the origin would take as long.
 */
export class Collapsing {
  readonly #settings: Settings;
  #wait: Wait | undefined;
  /** What is awaited: a key with a lease, or the stored response that is being replaced. */
  readonly #awaited: string[] = [];
  readonly #holders = new Set<string>();
  readonly #onEnd: (durationMs: number, answered: boolean) => void;
  #isOver = false;

  /** @param onEnd called when a wait is over. `answered` is whether its response could be used */
  constructor(settings: Settings, onEnd: (durationMs: number, answered: boolean) => void) {
    this.#settings = settings;
    this.#onEnd = onEnd;
  }

  /** Whether this request has waited. */
  get hasWaited(): boolean {
    return this.#wait !== undefined;
  }

  /**
   * Whether this request may wait.
   * @param awaited names what is being made; it changes when a response has come
   * @param holder the token of the lease holder that makes it
   */
  allows(awaited: string, holder: string): boolean {
    const [first, last = first] = this.#awaited;
    if (awaited !== last) {
      const isVariant = first !== undefined && this.#awaited.length === 1 && awaited.startsWith(`${first}:`);
      if (first !== undefined && !isVariant) return false;
      this.#awaited.push(awaited);
      this.#holders.clear();
    }
    this.#holders.add(holder);
    return this.#holders.size <= MAX_HOLDERS;
  }

  /**
   * Sleeps until the next look. @returns `false` when the time to wait is over @throws the signal's reason
   * @param wakeUp ends the sleep early
   */
  next(signal: AbortSignal, wakeUp: AbortSignal): Promise<boolean> {
    this.#wait ??= new Wait(this.#settings.clock, this.#settings.collapseMs);
    return this.#wait.next(signal, wakeUp);
  }

  /** Ends the wait, if there was one and it is not over. */
  end(answered: boolean): void {
    if (this.#isOver || !this.#wait) return;
    this.#isOver = true;
    this.#onEnd(this.#wait.durationMs, answered);
  }
}

/** The most URLs with waiting requests; beyond it all of them are woken, which costs each one read. */
const MAX_URLS = 1_000;

interface Waiting {
  readonly controller: AbortController;
  /** By stored key: what ends the wait for its change. */
  readonly heard: Map<string, () => void>;
}

/** Wakes requests that wait, before their next poll: when a lease holder of this process has ended, and where a near cache hears of changes. */
export class WakeUps {
  readonly #waiting = new Map<string, Waiting>();

  /**
   * Fires when work of this process for a URL has ended, or a change of the key is heard of.
   * @param base the URL's stored key @param key what is waited for: that, or the key of a variant
   */
  signal(base: string, key: string, near: NearReads | undefined): AbortSignal {
    const waiting = this.#waiting.get(base) ?? { controller: new AbortController(), heard: new Map() };
    if (this.#waiting.size >= MAX_URLS) for (const other of this.#waiting.keys()) this.wake(other);
    this.#waiting.set(base, waiting);
    const { controller, heard } = waiting;
    const stop = heard.has(key) ? undefined : near?.onChange(key, () => this.wake(base));
    if (stop) heard.set(key, stop);
    return controller.signal;
  }

  /** Whether requests wait for this URL. */
  has(base: string): boolean {
    return this.#waiting.has(base);
  }

  wake(base: string): void {
    const waiting = this.#waiting.get(base);
    if (!waiting) return;
    this.#waiting.delete(base);
    for (const stop of waiting.heard.values()) stop();
    waiting.controller.abort();
  }
}
