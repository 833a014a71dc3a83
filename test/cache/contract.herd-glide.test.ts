import { inject } from "vitest";
import { createCache, herd } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

cacheContract(
  "GLIDE, by the herd client",
  (options) => createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix(), client: herd(), ...options }),
  { cluster: false },
);
