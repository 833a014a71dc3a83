import { inject } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import { parseLocation } from "../../src/core/location.js";
import { createCache, herd } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { cacheContract } from "../contract/cache.js";
import { connectionContract } from "../contract/connection.js";
import { httpContract } from "../contract/http.js";
import { REQUEST } from "./request.js";

const { url, token } = inject("rest");
const connectionFactory = rest({ token });

connectionContract("rest() in workerd", async () => {
  const connect = () => connectionFactory.connect(parseLocation(url), REQUEST);
  const connection = connect();
  return { connection, other: async () => connect(), stop: () => connection.close() };
});

const options = { location: url, connectionFactory, client: herd() };

cacheContract(
  "rest() in workerd, herded",
  (more) => createCache({ keyPrefix: ownPrefix(), ...options, ...more }).for({}),
  { cluster: false },
);

httpContract("rest() in workerd", () => createCache({ keyPrefix: ownPrefix(), ...options }).for({}));
