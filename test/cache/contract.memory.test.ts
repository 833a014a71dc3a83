import { createCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

cacheContract("memory", (options) => createCache({ location: "memory:contract", keyPrefix: ownPrefix(), ...options }), {
  cluster: false,
});
