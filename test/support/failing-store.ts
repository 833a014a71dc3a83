import type { Connection, ConnectionFactory, Reply } from "../../src/core/connection.js";
import { ConnectionError, ReplyError } from "../../src/core/errors.js";
import { memory } from "../../src/index.js";

/** How the store fails, at one round trip: before it has run the command, after that, or by refusing it. */
export type Fault = (typeof FAULTS)[number];

export const FAULTS = ["unreachable", "reply lost", "full"] as const;

/** A store in memory whose round trip `at` fails, counted from 0. */
export class FailingStore implements ConnectionFactory {
  readonly shares = true;
  at = Number.POSITIVE_INFINITY;
  fault: Fault = "unreachable";
  /** Round trips so far. */
  count = 0;

  connect(...given: Parameters<ConnectionFactory["connect"]>): Connection {
    const inner = memory().connect(...given);
    const { send, script } = { send: inner.send.bind(inner), script: inner.script.bind(inner) };
    inner.send = (...rest) =>
      this.#run(
        () => send(...rest),
        (): Reply[] => rest[0].map(() => full()),
      );
    inner.script = (...rest) =>
      this.#run(
        () => script(...rest),
        () => {
          throw full();
        },
      );
    return inner;
  }

  /** Resolves when no round trip has begun for a while. */
  async idle(): Promise<void> {
    for (let count = -1; count !== this.count; ) {
      count = this.count;
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #run<T>(work: () => Promise<T>, refuse: () => T): Promise<T> {
    if (this.count++ !== this.at) return work();
    if (this.fault === "full") return refuse();
    if (this.fault === "reply lost") await work();
    const error = new ConnectionError("the store failed");
    error.mayHaveRun = this.fault === "reply lost";
    throw error;
  }
}

function full(): ReplyError {
  return new ReplyError("OOM", "command not allowed when used memory > 'maxmemory'");
}
