import { runOutside } from "../core/async.js";
import type { Clock } from "../core/time.js";
import type { ClientContext } from "./client.js";

/** The call that work belongs to, for `onError`. */
export interface Origin {
  readonly method: string;
  /** The stored key; empty for several. */
  readonly key: string;
}

/**
 * Runs work that no caller waits for. No caller can catch its errors, so all of them go to `onError`, and no promise
 * rejects.
 */
export class Background {
  readonly #context: ClientContext;
  readonly #running = new Set<Promise<void>>();

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /**
   * Runs `work` in an asynchronous context of its own. `close()` waits for it, and so does a host whose invocation has a `waitUntil`.
   * @param release called when the work has ended or failed
   * @returns the result of `work`, or `undefined` if it fails; never rejects
   */
  run<T>(work: () => Promise<T>, origin: Origin, release: () => void = () => {}): Promise<T | undefined> {
    const result = runOutside(() => this.attempt(work, origin)).then((value) => {
      release();
      return value;
    });
    const done: Promise<void> = result.then(() => {
      this.#running.delete(done);
    });
    this.#running.add(done);
    // The caller is answered even if the host's `waitUntil` throws.
    void this.attempt(() => this.#context.invocation.waitUntil(done), { method: "waitUntil", key: origin.key });
    return result;
  }

  /**
   * Runs a step and reports its error. It is not registered with `close()` or the host.
   * @returns the result of `step`, or `undefined` if it fails; never rejects
   */
  async attempt<T>(step: () => T | Promise<T>, { method, key }: Origin): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      this.#context.report(error, method, key);
      return undefined;
    }
  }

  /** Resolves when all work has ended, including work that was started meanwhile. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}

/** The result of `work`, or `undefined` when it takes longer than `ms`. Without `ms` there is no limit. */
export async function within<T>(clock: Clock, ms: number | undefined, work: Promise<T>): Promise<T | undefined> {
  if (ms === undefined) return work;
  const done = new AbortController();
  const timeout = clock.sleep(ms, done.signal).then(() => undefined);
  return Promise.race([work, timeout]).finally(() => done.abort());
}
