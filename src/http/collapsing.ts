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
   * @param wakeUp fires when a lease holder of this process has ended
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

/** Wakes requests that wait for a lease holder of the same process, before their next poll. */
export class WakeUps {
  readonly #controllers = new Map<string, AbortController>();

  /** Fires when work for this URL has ended. @param base the URL's stored key */
  signal(base: string): AbortSignal {
    const controller = this.#controllers.get(base) ?? new AbortController();
    if (this.#controllers.size >= MAX_URLS) for (const other of this.#controllers.keys()) this.wake(other);
    this.#controllers.set(base, controller);
    return controller.signal;
  }

  wake(base: string): void {
    this.#controllers.get(base)?.abort();
    this.#controllers.delete(base);
  }
}
