import { createCache, herd } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

cacheContract(
  "memory, by the herd client",
  (options) => createCache({ location: "memory:contract", keyPrefix: ownPrefix(), client: herd(), ...options }),
  { cluster: false },
);
