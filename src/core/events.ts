import { notify } from "./maybe-promise.js";

/** What a cache tells those who measure it. Times are milliseconds; keys are made keys. */
export interface CacheEvents {
  /** A fresh value was there. */
  hit: { readonly key: string };
  /** A stale value was answered while, or because, another is computed. */
  stale: { readonly key: string };
  /** Another caller in the fleet computed; this one waited. `answered` is false when the wait ran out. */
  wait: { readonly key: string; readonly durationMs: number; readonly answered: boolean };
  /** A loader ran. */
  load: { readonly key: string; readonly durationMs: number; readonly failed: boolean };
  /** The lease on an entry was asked for. */
  claim: { readonly key: string; readonly won: boolean };
  /** A value was not stored, as its lease was lost: the entry was deleted, written, or loaded by another. */
  fenced: { readonly key: string };
  /** A fresh value is refreshed before it expires. */
  early: { readonly key: string };
}

export type EventName = keyof CacheEvents;
export type Listener<E extends EventName> = (event: CacheEvents[E]) => void;

/** Tells listeners; where nobody listens, nothing is made and nothing is measured. */
export class Events {
  readonly #listeners = new Map<EventName, Set<(event: never) => void>>();
  readonly #failed: (error: unknown) => void;

  /** @param failed is called with what a listener throws or rejects with, which the call that caused the event must not */
  constructor(failed: (error: unknown) => void = () => {}) {
    this.#failed = failed;
  }

  /** Ends with the function that it returns. */
  on<E extends EventName>(name: E, listener: Listener<E>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(name);
    };
  }

  emit<E extends EventName>(name: E, event: () => CacheEvents[E]): void {
    const listeners = this.#listeners.get(name) as Set<Listener<E>> | undefined;
    if (!listeners) return;
    const told = event();
    for (const listener of listeners) {
      notify(() => listener(told), this.#failed);
    }
  }
}
