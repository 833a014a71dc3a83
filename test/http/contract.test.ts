import { inject } from "vitest";
import { createCache, glideCluster } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { bodies } from "../contract/http/bodies.js";
import { differential } from "../contract/http/differential.js";
import { httpContract } from "../contract/http.js";

const inMemory = () => createCache({ location: "memory:", keyPrefix: ownPrefix() });
const inValkey = () => createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });
const connectionFactory = glideCluster();
const inCluster = () =>
  createCache({ location: inject("clusterUrl").split(","), keyPrefix: ownPrefix(), connectionFactory });

httpContract("memory", inMemory);
httpContract("Valkey", inValkey);
httpContract("a cluster", inCluster);

differential("memory", { open: inMemory, numRuns: 150 });
differential("Valkey", { open: inValkey, numRuns: 40 });

bodies();
