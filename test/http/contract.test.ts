import { afterAll, inject } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import { createCache, glideCluster, nearCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { bodies } from "../contract/http/bodies.js";
import { differential } from "../contract/http/differential.js";
import { httpContract } from "../contract/http.js";
import { startRestServer } from "../support/rest-server.js";

const inMemory = () => createCache({ location: "memory:", keyPrefix: ownPrefix() });
const inValkey = () => createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });
/** Reads are answered from the process from the first one on, without waiting for a listener. */
const near = () =>
  createCache({
    location: inject("valkeyUrl"),
    keyPrefix: ownPrefix(),
    nearCache: nearCache({ invalidation: "ttl", maxStaleness: "1m" }),
  });
const connectionFactory = glideCluster();
const inCluster = () =>
  createCache({ location: inject("clusterUrl").split(","), keyPrefix: ownPrefix(), connectionFactory });

const { url, token, stop } = await startRestServer({ port: Number(new URL(inject("valkeyUrl")).port) });
afterAll(stop);
const overHttp = () => createCache({ location: url, keyPrefix: ownPrefix(), connectionFactory: rest({ token }) });

httpContract("memory", inMemory);
httpContract("Valkey", inValkey);
httpContract("a near cache", near);
httpContract("a cluster", inCluster);
httpContract("rest()", overHttp);

differential("memory", { open: inMemory, numRuns: 150 });
differential("Valkey", { open: inValkey, numRuns: 40 });
differential("a near cache", { open: near, numRuns: 40 });

bodies();
