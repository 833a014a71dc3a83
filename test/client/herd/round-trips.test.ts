import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";
import { createCache, glide, iovalkey } from "../../../src/index.js";
import { roundTrips } from "../../contract/herd/round-trips.js";
import { startProxy } from "../../support/proxy.js";
import { startValkey } from "../../support/servers.js";

for (const [name, transport] of [
  ["GLIDE", glide],
  ["iovalkey", iovalkey],
] as const) {
  roundTrips(name, async () => {
    const server = await startValkey();
    const proxy = await startProxy(server);
    const connection = iovalkey().connect(parseLocation(server.url), PROCESS);
    let opened = 0;
    return {
      connection,
      open: (options) =>
        createCache({
          location: proxy.url,
          // What differs in its configuration shares no connection.
          connectionFactory: transport({ commandTimeout: 5 + ++opened / 1_000 }),
          ...options,
        }),
      roundTrips: () => proxy.roundTrips,
      async stop() {
        await connection.close();
        await proxy.close();
        await server.stop();
      },
    };
  });
}
