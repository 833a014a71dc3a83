import { sentinel } from "../../../src/connection/sentinel/node.js";
import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";
import { connectionContract } from "../../contract/connection.js";
import { startSentinels } from "../../support/sentinels.js";

connectionContract("a primary found by sentinels", async () => {
  const servers = await startSentinels({ replicas: 1 });
  const factory = sentinel({ sentinels: servers.sentinels.map(({ host, port }) => ({ host, port })) });
  const location = parseLocation(`valkey://${servers.service}/0`);
  const connection = factory.connect(location, PROCESS);
  return {
    connection,
    other: async () => factory.connect(location, PROCESS),
    async stop() {
      await connection.close();
      await servers.stop();
    },
  };
});
