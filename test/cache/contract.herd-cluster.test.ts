import { inject } from "vitest";
import { createCache, glideCluster, herd } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";

const connectionFactory = glideCluster();
const client = herd();

cacheContract(
  "a cluster, by GLIDE and the herd client",
  (options) =>
    createCache({
      location: inject("clusterUrl"),
      connectionFactory,
      keyPrefix: ownPrefix(),
      client,
      ...options,
    }),
  { cluster: true },
);
