import type { ConnectionEvent } from "../../core/connection.js";

export type Watcher = (event: ConnectionEvent) => void;

/**
 * Functions that are called with what happens to a connection. They are held weakly: a connection that the process shares
 * must not keep a cache that is not used any more, nor the code of an older copy of this library. Workers' older runtimes, where no connection
 * outlives its request, have no weak references.
 */
export class Watchers {
  readonly #refs = new Set<{ deref(): Watcher | undefined }>();

  get size(): number {
    return this.#refs.size;
  }

  /** @returns a function that ends it */
  add(watcher: Watcher): () => void {
    const ref = typeof WeakRef === "function" ? new WeakRef(watcher) : { deref: () => watcher };
    this.#refs.add(ref);
    return () => void this.#refs.delete(ref);
  }

  notify(event: ConnectionEvent): void {
    for (const ref of this.#refs) {
      const watcher = ref.deref();
      if (watcher) watcher(event);
      else this.#refs.delete(ref);
    }
  }
}
