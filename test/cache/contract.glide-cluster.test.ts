import { inject } from "vitest";
import { createCache, glideCluster } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

const connectionFactory = glideCluster();

cacheContract(
  "a cluster, by GLIDE",
  (options) => createCache({ location: inject("clusterUrl"), connectionFactory, keyPrefix: ownPrefix(), ...options }),
  { cluster: true },
);
