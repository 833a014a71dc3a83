import { iovalkey } from "../../../src/connection/iovalkey/node.js";
import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";
import { connectionContract } from "../../contract/connection.js";
import { startValkey } from "../../support/servers.js";

connectionContract("iovalkey", async () => {
  const server = await startValkey();
  // A different maxIdle is a different configuration, so each call opens another connection.
  let seconds = 60;
  const connect = () => iovalkey({ maxIdle: ++seconds }).connect(parseLocation(server.url), PROCESS);
  const connection = connect();
  return {
    connection,
    other: async () => connect(),
    async stop() {
      await connection.close();
      await server.stop();
    },
  };
});
