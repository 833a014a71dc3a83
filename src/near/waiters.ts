/** Who waits for changes of entries, by key. */
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
