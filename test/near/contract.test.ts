import { inject } from "vitest";
import { createCache, herd, iovalkey, type NearCacheOptions, nearCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

const connectionFactory = iovalkey();

const SETUPS: readonly (readonly [name: string, near: NearCacheOptions, options: object])[] = [
  ["GLIDE with a near cache", {}, {}],
  ["iovalkey with a near cache, by the herd client", {}, { connectionFactory, client: herd() }],
  ["iovalkey with a near cache of shared values", { values: "shared" }, { connectionFactory }],
  ["iovalkey with a near cache that is told by others", { invalidation: "channel" }, { connectionFactory }],
  ["iovalkey with a near cache that nobody tells", { invalidation: "ttl" }, { connectionFactory, client: herd() }],
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
