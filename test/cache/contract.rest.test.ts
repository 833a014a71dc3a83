import { afterAll } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import { createCache, herd } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";
import { startRestServer } from "../support/rest-server.js";
import { startValkey } from "../support/servers.js";

// Of its own: where the scripts of many clients don't fit into the server's cache, it drops some, and a script that is sent
// again is overtaken.
const server = await startValkey();
const endpoint = await startRestServer(server);
afterAll(async () => {
  await endpoint.stop();
  await server.stop();
});

const connectionFactory = rest({ token: endpoint.token });

for (const [name, client] of [
  ["rest()", {}],
  ["rest(), by the herd client", { client: herd() }],
] as const) {
  cacheContract(
    name,
    (options) =>
      createCache({ location: endpoint.url, connectionFactory, keyPrefix: ownPrefix(), ...client, ...options }),
    { cluster: false },
  );
}
