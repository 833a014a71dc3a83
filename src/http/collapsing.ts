import type { Changes } from "../core/near.js";
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
   * @param changes of what is waited for end it, too
   */
  next(signal: AbortSignal, wakeUp: AbortSignal, changes: Changes | undefined): Promise<boolean> {
    this.#wait ??= new Wait(this.#settings.clock, this.#settings.collapseMs);
    return this.#wait.next(signal, wakeUp, changes);
  }

  /** Ends the wait, if there was one and it is not over. */
  end(answered: boolean): void {
    if (this.#isOver || !this.#wait) return;
    this.#isOver = true;
    this.#onEnd(this.#wait.durationMs, answered);
  }
}

interface Waiting {
  readonly controller: AbortController;
  requests: number;
}

/** Wakes requests that wait for a lease holder of the same process, before their next poll. */
export class WakeUps {
  /** By the URL's stored key. */
  readonly #waiting = new Map<string, Waiting>();

  /** Whether requests wait for this URL. */
  has(base: string): boolean {
    return this.#waiting.has(base);
  }

  /** One request's wait. @param wait is given a signal that fires when work for this URL has ended */
  async during<T>(base: string, wait: (wakeUp: AbortSignal) => Promise<T>): Promise<T> {
    const waiting = this.#waiting.get(base) ?? { controller: new AbortController(), requests: 0 };
    this.#waiting.set(base, waiting);
    waiting.requests++;
    try {
      return await wait(waiting.controller.signal);
    } finally {
      waiting.requests--;
      if (waiting.requests === 0 && this.#waiting.get(base) === waiting) this.#waiting.delete(base);
    }
  }

  wake(base: string): void {
    this.#waiting.get(base)?.controller.abort();
    this.#waiting.delete(base);
  }
}
