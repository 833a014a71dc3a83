import type { Changes } from "../core/near.js";

/** How long after the first change a caller that waits for many keys is woken, in milliseconds: what is loaded at once changes at once. */
const TOGETHER_MS = 5;

/** Callers that wait for changes of entries, by key. */
export class Waiters {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** @param changed called once @returns a function that ends this */
  add(key: string, changed: () => void): () => void {
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting.add(changed));
    return () => {
      waiting.delete(changed);
      if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
    };
  }

  changes(keys: readonly string[]): Changes {
    const controller = new AbortController();
    const wake = (): void => controller.abort();
    const changed = keys.length > 1 ? () => void setTimeout(wake, TOGETHER_MS) : wake;
    const ends = keys.map((key) => this.add(key, changed));
    return {
      signal: controller.signal,
      end: () => {
        for (const end of ends) end();
      },
    };
  }

  wake(key: string): void {
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    this.#waiting.delete(key);
    for (const changed of waiting) changed();
  }

  wakeAll(): void {
    for (const key of [...this.#waiting.keys()]) this.wake(key);
  }
}
