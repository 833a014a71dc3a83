import { inject } from "vitest";
import type { CacheOptions } from "../../src/cache/options.js";
import { createCache, iovalkey } from "../../src/index.workerd.js";
import { refusing } from "../contract/herd/refusing.js";
import { roundTrips } from "../contract/herd/round-trips.js";
import { serverFleets } from "../contract/herd/server-fleets.js";
import { twins } from "../contract/herd/twins.js";
import { herdContract } from "../contract/herd.js";
import { connectTo } from "./request.js";
import { countedSockets } from "./sockets.js";

const NAME = "iovalkey in workerd";
const open = (options: CacheOptions) => createCache(options).for({});

herdContract(NAME, serverFleets({ createCache: open, location: inject("valkeyUrl"), transport: iovalkey }));

twins(NAME, { connect: () => connectTo(inject("valkeyUrl")), numRuns: 60 });

refusing(NAME, async () => {
  const location = inject("ownUrls").herd;
  const connection = connectTo(location);
  return { connection, open: (options) => open({ location, ...options }), stop: () => connection.close() };
});

roundTrips(`${NAME}, through cloudflare:sockets`, async () => {
  const location = inject("ownUrls").herd;
  const connection = connectTo(location);
  const { connector, roundTrips } = countedSockets();
  return {
    connection,
    open: (options) => open({ location, connectionFactory: iovalkey({ connector }), ...options }),
    roundTrips,
    stop: () => connection.close(),
  };
});
