import type { Context } from "hono";
import type { Cache } from "../cache/cache.js";
import type { MaybePromise } from "../core/async.js";
import { ConfigurationError } from "../core/errors.js";
import { keepsRequestsApart } from "../core/runtime.js";
import type { HonoOptions } from "./options.js";

type WaitUntil = (work: Promise<void>) => void;
type Work = (cache: Cache, waitUntil: WaitUntil) => MaybePromise<void>;

/** Gives each request a cache that it may use: a view of its own where the host keeps requests apart. */
export class Views {
  readonly #waitUntil: HonoOptions["waitUntil"];
  readonly #keepsApart = keepsRequestsApart();

  constructor(waitUntil: HonoOptions["waitUntil"]) {
    this.#waitUntil = waitUntil;
  }

  /** @throws {ConfigurationError} when there is no cache */
  use(c: Context, cache: Cache | undefined, work: Work): MaybePromise<void> {
    if (!cache) {
      throw new ConfigurationError(
        "httpCache: there is no cache; give the option cache, or use valkeyCache() before httpCache()",
      );
    }
    const waitUntil: WaitUntil = (promise) => {
      if (this.#waitUntil) this.#waitUntil(c, promise);
      else executionContext(c)?.waitUntil(promise);
    };
    return this.#keepsApart ? useView(cache, work, waitUntil) : work(cache, waitUntil);
  }
}

/** Requests must not share sockets here: the view has a connection of its own, and closes after the last of its work. */
async function useView(cache: Cache, work: Work, waitUntil: WaitUntil): Promise<void> {
  const pending = new Set<Promise<void>>();
  const track = (promise: Promise<void>): void => {
    pending.add(promise);
    waitUntil(promise.finally(() => pending.delete(promise)));
  };
  const view = cache.for({ waitUntil: (promise) => track(promise.then(() => {})) });
  const end = async (): Promise<void> => {
    while (pending.size > 0) await Promise.allSettled(pending);
    await view.close();
  };
  try {
    await work(view, track);
  } finally {
    waitUntil(end());
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
