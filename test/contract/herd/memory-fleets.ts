import { afterEach, beforeAll, beforeEach, vi } from "vitest";
import { memory } from "../../../src/api/memory.js";
import type { Cache } from "../../../src/cache/cache.js";
import type { CacheOptions } from "../../../src/cache/options.js";
import { herd, loadProtocol } from "../../../src/client/herd/client.js";
import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";
import { ownPrefix } from "../cache/stored.js";
import { THROWN } from "../thrown.js";
import type { Fleets } from "./fleet.js";

/** Fleets over a store in memory each. */
export function memoryFleets(createCache: (options: CacheOptions) => Cache): Fleets {
  return {
    throwable: THROWN,
    fleet(options = {}, watch = (factory) => factory) {
      const [keyPrefix, connectionFactory] = [ownPrefix(), watch(memory())];
      return (more) =>
        createCache({ location: "memory:", connectionFactory, keyPrefix, client: herd(options), ...more });
    },
    fakeTime() {
      beforeAll(async () => {
        // What is loaded when it is first needed takes time that isn't faked.
        await loadProtocol();
        await memory()
          .connect(parseLocation("memory:"), PROCESS)
          .send([["PING"]]);
      });
      beforeEach(() => {
        vi.useFakeTimers();
      });
      afterEach(() => {
        vi.useRealTimers();
      });
      return async (ms) => {
        await vi.advanceTimersByTimeAsync(ms);
      };
    },
  };
}
