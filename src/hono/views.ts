import type { Context } from "hono";
import type { Cache } from "../cache/cache.js";
import type { MaybePromise } from "../core/async.js";
import { ConfigurationError } from "../core/errors.js";
import { requestViews, type Work } from "../http/views.js";
import type { HonoOptions } from "./options.js";

/** Gives each request of an application a cache that it may use. */
export class Views {
  readonly #waitUntil: HonoOptions["waitUntil"];
  readonly #useView = requestViews();

  constructor(waitUntil: HonoOptions["waitUntil"]) {
    this.#waitUntil = waitUntil;
  }

  /** @throws {ConfigurationError} when there is no cache */
  use(c: Context, cache: Cache | undefined, work: Work<void>): MaybePromise<void> {
    if (!cache) {
      throw new ConfigurationError(
        "httpCache: there is no cache; give the option cache, or use valkeyCache() before httpCache()",
      );
    }
    const waitUntil = (promise: Promise<void>): void => {
      if (this.#waitUntil) this.#waitUntil(c, promise);
      else executionContext(c)?.waitUntil(promise);
    };
    return this.#useView(cache, waitUntil, work);
  }
}

/** The host's execution context; `undefined` where it has none. */
export function executionContext(c: Context): Context["executionCtx"] | undefined {
  try {
    return c.executionCtx;
  } catch {
    // Hono throws where there is none.
    return undefined;
  }
}
