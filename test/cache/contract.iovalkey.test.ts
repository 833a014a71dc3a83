import { inject } from "vitest";
import { createCache, iovalkey } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

const connectionFactory = iovalkey();

cacheContract(
  "iovalkey",
  (options) => createCache({ location: inject("valkeyUrl"), connectionFactory, keyPrefix: ownPrefix(), ...options }),
  { cluster: false },
);
