import { inject } from "vitest";
import { createCache, herd, iovalkey, type NearCacheOptions, nearCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

const connectionFactory = iovalkey();

const TOLD_AND_SHARED: NearCacheOptions = { invalidation: "channel", values: "shared" };
const HERDED = { connectionFactory, client: herd() };

/** Each kind of invalidation, of values and of client. */
const SETUPS: readonly (readonly [name: string, near: NearCacheOptions, options: object])[] = [
  ["GLIDE with a near cache", {}, {}],
  ["iovalkey with a near cache of shared values, told by others", TOLD_AND_SHARED, { connectionFactory }],
  ["iovalkey with a near cache without notifications, by the herd client", { invalidation: "ttl" }, HERDED],
];

for (const [name, near, more] of SETUPS) {
  cacheContract(
    name,
    (options) =>
      createCache({
        location: inject("valkeyUrl"),
        keyPrefix: ownPrefix(),
        nearCache: nearCache(near),
        ...more,
        ...options,
      }),
    { cluster: false, sharesValues: near.values === "shared" },
  );
}
