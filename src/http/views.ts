import type { Cache } from "../cache/cache.js";
import type { MaybePromise } from "../core/async.js";
import { keepsRequestsApart } from "../core/runtime.js";

/** Keeps the host running until the promise settles. */
export type WaitUntil = (work: Promise<void>) => void;

/** Handles one request. @param waitUntil for work that goes on after the response */
export type Work<T> = (cache: Cache, waitUntil: WaitUntil) => MaybePromise<T>;

/** Gives each request a cache that it may use: a view of its own where the runtime keeps requests apart. */
export function requestViews(): <T>(cache: Cache, waitUntil: WaitUntil, work: Work<T>) => MaybePromise<T> {
  return keepsRequestsApart() ? useView : (cache, waitUntil, work) => work(cache, waitUntil);
}

/** Requests must not share sockets here: the view has a connection of its own, and closes after the last of its work. */
async function useView<T>(cache: Cache, waitUntil: WaitUntil, work: Work<T>): Promise<T> {
  const pending = new Set<Promise<void>>();
  const track: WaitUntil = (promise) => {
    pending.add(promise);
    waitUntil(promise.finally(() => pending.delete(promise)));
  };
  const view = cache.for({ waitUntil: (promise) => track(promise.then(() => {})) });
  const end = async (): Promise<void> => {
    while (pending.size > 0) await Promise.allSettled(pending);
    await view.close();
  };
  try {
    return await work(view, track);
  } finally {
    waitUntil(end());
  }
}
