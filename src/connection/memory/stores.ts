import type { Clock } from "../../core/clock.js";
import type { Connection } from "../../core/connection.js";
import { MemoryConnection } from "./memory-connection.js";
import { type Limits, Store } from "./store.js";

/** The stores of one factory, by name. */
export class Stores {
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #byName = new Map<string, Store>();

  constructor(clock: Clock, limits: Limits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  connect(name: string): Connection {
    const store = this.#byName.get(name) ?? new Store(this.#clock, this.#limits);
    this.#byName.set(name, store);
    return new MemoryConnection(store);
  }
}
