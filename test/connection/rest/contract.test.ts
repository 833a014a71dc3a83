import { rest } from "../../../src/connection/rest/factory.js";
import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";
import { connectionContract } from "../../contract/connection.js";
import { startRestServer } from "../../support/rest-server.js";
import { startValkey } from "../../support/servers.js";

connectionContract("rest()", async () => {
  const server = await startValkey();
  const endpoint = await startRestServer(server);
  // Another timeout is a different configuration, so each call makes another connection.
  let seconds = 5;
  const connect = () =>
    rest({ token: endpoint.token, commandTimeout: ++seconds }).connect(parseLocation(endpoint.url), PROCESS);
  const connection = connect();
  return {
    connection,
    other: async () => connect(),
    async stop() {
      await connection.close();
      await endpoint.stop();
      await server.stop();
    },
  };
});
