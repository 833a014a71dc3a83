import { inject } from "vitest";
import { createCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

cacheContract(
  "GLIDE, speaking RESP3",
  (options) => createCache({ location: `${inject("valkeyUrl")}?protocol=3`, keyPrefix: ownPrefix(), ...options }),
  { cluster: false },
);

cacheContract(
  "GLIDE",
  (options) => createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix(), ...options }),
  { cluster: false },
);
