import { inject } from "vitest";
import { createCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

cacheContract(
  "GLIDE",
  (options) => createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix(), ...options }),
  { cluster: false },
);
