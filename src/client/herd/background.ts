import type { Clock } from "../../core/clock.js";
import type { ClientContext } from "../client.js";

/** Work that goes on when its callers have their answer. */
export class Background {
  readonly #context: ClientContext;
  readonly #running = new Set<Promise<void>>();

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /** Keeps the host running until `work`, which never rejects, has ended. */
  add(work: Promise<unknown>, key: string): void {
    const done: Promise<void> = work.then(() => {
      this.#running.delete(done);
    });
    this.#running.add(done);
    try {
      this.#context.invocation.waitUntil(done);
    } catch (error) {
      // A host that is past waiting is no reason not to answer.
      this.#context.report(error, "waitUntil", key);
    }
  }

  /** Resolves when all that runs now has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#running);
  }
}

/** What `work` gives, or `otherwise` when it takes longer than `ms`; without `ms` it may take as long as it does. */
export async function within<T>(clock: Clock, ms: number | undefined, work: Promise<T>, otherwise: T): Promise<T> {
  if (ms === undefined) return work;
  const done = new AbortController();
  const late = clock.sleep(ms, done.signal).then(() => otherwise);
  return Promise.race([work, late]).finally(() => done.abort());
}
