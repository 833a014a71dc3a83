import { notify } from "./async.js";
import { show } from "./errors.js";

/** The events of a cache, by name. Times are milliseconds; keys are stored keys. */
export interface CacheEvents {
  /** A fresh value was found. */
  hit: { readonly key: string };
  /** A stale value was returned while another caller computes a new one. */
  stale: { readonly key: string };
  /** This caller waited while another one computed the value. `answered` is false when the wait timed out. */
  wait: { readonly key: string; readonly durationMs: number; readonly answered: boolean };
  /** A loader ran. */
  load: { readonly key: string; readonly durationMs: number; readonly failed: boolean };
  /** This caller tried to claim the lease of an entry. */
  claim: { readonly key: string; readonly won: boolean };
  /** A value was not stored because its lease was lost: the entry was deleted, written, or loaded by another caller. */
  fenced: { readonly key: string };
  /** A fresh value is refreshed before it expires. */
  early: { readonly key: string };
}

export type EventName = keyof CacheEvents;
export type Listener<E extends EventName> = (event: CacheEvents[E]) => void;

/** The names of all events: a new event without its name here doesn't compile. */
const NAMES: Readonly<Record<EventName, true>> = {
  hit: true,
  stale: true,
  wait: true,
  load: true,
  claim: true,
  fenced: true,
  early: true,
};

/** Notifies listeners. An event without a listener is not created. */
export class Events {
  readonly #listeners = new Map<EventName, Set<(event: never) => void>>();
  readonly #onListenerError: (error: unknown) => void;

  /** @param onListenerError called with the errors of listeners, which the calls that caused the events don't see */
  constructor(onListenerError: (error: unknown) => void = () => {}) {
    this.#onListenerError = onListenerError;
  }

  /** Adds a listener. @returns a function that removes it @throws TypeError on an unknown event, or without a listener */
  on<E extends EventName>(name: E, listener: Listener<E>): () => void {
    if (typeof name !== "string" || !Object.hasOwn(NAMES, name)) {
      throw new TypeError(`on: ${show(name)} is not an event; give one of ${Object.keys(NAMES).join(", ")}`);
    }
    if (typeof listener !== "function") {
      throw new TypeError(`on: the listener of "${name}" is ${show(listener)}; give a function`);
    }
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
    const created = event();
    for (const listener of listeners) {
      notify(() => listener(created), this.#onListenerError);
    }
  }
}
