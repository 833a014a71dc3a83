import { afterAll, inject } from "vitest";
import { rest } from "../../../src/connection/rest/factory.js";
import { createCache } from "../../../src/index.js";
import { serverFleets } from "../../contract/herd/server-fleets.js";
import { herdContract } from "../../contract/herd.js";
import { startRestServer } from "../../support/rest-server.js";

const { url, token, stop } = await startRestServer({ port: Number(new URL(inject("valkeyUrl")).port) });
afterAll(stop);

herdContract(
  "rest()",
  serverFleets({
    createCache,
    location: url,
    transport: ({ commandTimeout }) => rest({ token, commandTimeout }),
  }),
);
