const MOST = 10_000;

/**
 * What this process has seen fresh, and until when: there a plain GET will do, which transports join, replicas serve, and
 * servers that refuse writes answer. Only a hint: what is gone meanwhile costs one more flight.
 */
export class Seen {
  readonly #freshUntilMs = new Map<string, number>();

  has(key: string, nowMs: number): boolean {
    return (this.#freshUntilMs.get(key) ?? 0) > nowMs;
  }

  add(key: string, freshUntilMs: number): void {
    // Begun anew when full: the keys that matter come back at once.
    if (this.#freshUntilMs.size >= MOST) this.#freshUntilMs.clear();
    this.#freshUntilMs.set(key, freshUntilMs);
  }

  delete(key: string): void {
    this.#freshUntilMs.delete(key);
  }

  clear(): void {
    this.#freshUntilMs.clear();
  }
}
