import { afterAll, inject } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import { createCache, herd } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";
import { startRestServer } from "../support/rest-server.js";

const endpoint = await startRestServer({ port: Number(new URL(inject("valkeyUrl")).port) });
afterAll(() => endpoint.stop());

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
