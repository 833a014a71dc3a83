import { inject } from "vitest";
import { createCache, herd } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

for (const [name, client] of [
  ["iovalkey in workerd", undefined],
  ["iovalkey in workerd, herded", herd()],
] as const) {
  cacheContract(
    name,
    (options) =>
      createCache({
        location: inject("valkeyUrl"),
        keyPrefix: ownPrefix(),
        ...(client && { client }),
        ...options,
      }).for({}),
    { cluster: false },
  );
}
