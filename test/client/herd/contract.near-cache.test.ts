import { inject } from "vitest";
import { createCache, iovalkey, nearCache } from "../../../src/index.js";
import { serverFleets } from "../../contract/herd/server-fleets.js";
import { herdContract } from "../../contract/herd.js";

herdContract(
  "iovalkey with a near cache",
  serverFleets({
    createCache: (options) => createCache({ nearCache: nearCache(), ...options }),
    location: inject("valkeyUrl"),
    transport: iovalkey,
  }),
);
