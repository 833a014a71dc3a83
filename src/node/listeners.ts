import { EventEmitter } from "node:events";
import { type Emitter, type Method, methodOf } from "./messages.js";

const ADDING = ["on", "addListener", "prependListener"] as const;
const REMOVING = ["off", "removeListener"] as const;

/**
 * Keeps the listeners that inner handlers add to a request or a response apart from those of outer middleware, so that an
 * event can reach each at its own time.
 */
export class InnerListeners {
  /** Adds a listener that the emitter calls as it did before. */
  readonly onOuter: (name: string, listener: Method) => void;
  readonly #target: object;
  readonly #inner = new EventEmitter();

  /** @param names the events whose listeners are kept apart from now on */
  constructor(target: Emitter, names: ReadonlySet<string>) {
    this.#target = target;
    this.#inner.setMaxListeners(0);
    const outerOn = methodOf(target, "on");
    this.onOuter = (name, listener) => void outerOn?.(name, listener);
    for (const method of ADDING) {
      const outer = methodOf(target, method);
      Reflect.set(target, method, (name: string, listener: (...args: unknown[]) => void): unknown => {
        if (!names.has(name)) return outer?.(name, listener);
        if (method === "prependListener") this.#inner.prependListener(name, listener);
        else this.#inner.on(name, listener);
        return target;
      });
    }
    for (const method of REMOVING) {
      const outer = methodOf(target, method);
      Reflect.set(target, method, (name: string, listener: (...args: unknown[]) => void): unknown => {
        this.#inner.removeListener(name, listener);
        return outer?.(name, listener);
      });
    }
  }

  /** Calls the inner listeners. */
  emit(name: string, ...args: unknown[]): void {
    for (const listener of this.#inner.rawListeners(name)) Reflect.apply(listener, this.#target, args);
  }
}

/**
 * Holds events back from the listeners that are added from now on.
 * @param isHeldBack of an event when it is emitted
 * @returns lets them go
 */
export function holdEvents(target: Emitter, names: ReadonlySet<string>, isHeldBack: () => boolean): () => void {
  const listeners = new InnerListeners(target, names);
  const held: [string, unknown[]][] = [];
  let isHeld = true;
  for (const name of names) {
    listeners.onOuter(name, (...args) => {
      if (isHeld && isHeldBack()) held.push([name, args]);
      else listeners.emit(name, ...args);
    });
  }
  return () => {
    isHeld = false;
    for (const [name, args] of held.splice(0)) listeners.emit(name, ...args);
  };
}
