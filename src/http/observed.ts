import type { MaybePromise } from "../core/async.js";
import type { CacheEvents } from "../core/event-types.js";
import { type Events, emitError } from "../core/events.js";
import type { Settings } from "./options.js";
import type { Handling } from "./rfc/cache-status.js";

/** The method in all events of the HTTP cache. */
export const METHOD = "http";

/** Records how one request is handled, for its event. Made only when there are listeners. */
export class ObservedRequest {
  readonly #events: Events;
  readonly #startedMs = performance.now();
  /** What is known so far. Without more, as where the host throws before the origin is asked, it is a miss. */
  #handling: Handling = { how: "miss" };

  constructor(events: Events) {
    this.#events = events;
  }

  /** Notes how the request is handled. The last note counts. */
  note(handling: Handling): void {
    this.#handling = handling;
  }

  /** Emits the event of the request when its outcome is there. @throws what the host throws */
  async record<T>(
    outcome: MaybePromise<T>,
    describe: (result: T | undefined) => Pick<CacheEvents["http"], "method" | "url" | "status">,
  ): Promise<T> {
    let result: T | undefined;
    let error: unknown;
    try {
      result = await outcome;
      return result;
    } catch (cause) {
      error = cause;
      emitError(this.#events, cause, { method: METHOD, key: "" });
      throw cause;
    } finally {
      const durationMs = performance.now() - this.#startedMs;
      const { how, forwardedStatus, ttlMs, stored = false, collapsed, detail } = this.#handling;
      this.#events.emit("http", () => ({
        ...describe(result),
        outcome: how,
        forwardedStatus,
        ttlMs,
        stored,
        collapsed,
        detail,
        durationMs,
        error,
      }));
    }
  }
}

/** Calls the option `onError`, and emits the event of the error. @param step what has failed, for `onError` */
export function report(
  { events }: { readonly events: Events },
  { onError }: Pick<Settings, "onError">,
  error: unknown,
  { step, key }: { readonly step: string; readonly key: string },
): void {
  emitError(events, error, { method: METHOD, key });
  onError(error, { method: step, key });
}
