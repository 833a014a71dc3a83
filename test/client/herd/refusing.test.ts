import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";
import { createCache, iovalkey } from "../../../src/index.js";
import { refusing } from "../../contract/herd/refusing.js";
import { startValkey } from "../../support/servers.js";

refusing("GLIDE", async () => {
  const server = await startValkey({ args: ["--enable-protected-configs", "yes"] });
  const connection = iovalkey().connect(parseLocation(server.url), PROCESS);
  return {
    connection,
    open: (options) => createCache({ location: server.url, ...options }),
    async stop() {
      await connection.close();
      await server.stop();
    },
  };
});
