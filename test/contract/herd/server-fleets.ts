import { afterEach, beforeAll, beforeEach, onTestFinished, vi } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { CacheOptions } from "../../../src/cache/options.js";
import { herd, loadProtocol } from "../../../src/client/herd/client.js";
import type { ConnectionOptions } from "../../../src/connection/options.js";
import type { ConnectionFactory } from "../../../src/core/connection.js";
import { ownPrefix } from "../cache/stored.js";
import { FEW_THROWN } from "../thrown.js";
import { underFakeTime } from "./fake-server-time.js";
import type { Fleets } from "./fleet.js";
import { Listeners } from "./listeners.js";

/** Not `setImmediate`, by which transports go on, and which tells when they are done. */
const FAKED = ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] as const;

export interface ServerFleetsOptions {
  readonly createCache: (options: CacheOptions) => Cache;
  readonly location: string;
  readonly transport: (options: ConnectionOptions) => ConnectionFactory;
}

/** Fleets on a server; each cache has a connection of its own, which ends with the test. */
export function serverFleets({ createCache, location, transport }: ServerFleetsOptions): Fleets {
  const underway = new Set<Promise<unknown>>();
  let opened = 0;

  /** Nobody waits for the server any more. */
  async function settled(): Promise<void> {
    do {
      await Promise.allSettled(underway);
      await new Promise((resolve) => setImmediate(resolve));
    } while (underway.size > 0);
  }

  return {
    throwable: FEW_THROWN,
    fleet(options = {}, watch = (factory) => factory) {
      const keyPrefix = ownPrefix();
      const listeners = new Listeners(keyPrefix, underway);
      return (more) => {
        // What differs in its configuration shares no connection.
        const own = transport({ commandTimeout: 5 + ++opened / 1_000 });
        const heard = listeners.heard(own);
        const watched = watch(vi.isFakeTimers() ? underFakeTime(heard, keyPrefix, underway) : heard);
        const connectionFactory = listeners.listening(watched, own);
        const cache = createCache({ location, keyPrefix, client: herd(options), connectionFactory, ...more });
        // Not the cache, which would wait for loaders that never end.
        onTestFinished(() => cache.connection.close());
        return cache;
      };
    },
    fakeTime() {
      // What is loaded when it is first needed takes time that isn't faked.
      beforeAll(async () => void (await Promise.all([loadProtocol(), import("../../../src/near/listening.js")])));
      beforeEach(() => {
        vi.useFakeTimers({ toFake: [...FAKED] });
      });
      afterEach(() => {
        vi.useRealTimers();
      });
      return async (ms) => {
        await settled();
        let isOver = false;
        setTimeout(() => {
          isOver = true;
        }, ms);
        while (!isOver) {
          vi.advanceTimersToNextTimer();
          await settled();
        }
        vi.advanceTimersByTime(0);
        await settled();
      };
    },
  };
}
