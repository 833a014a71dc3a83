import { inject } from "vitest";
import { createCache, glide } from "../../../src/index.js";
import { serverFleets } from "../../contract/herd/server-fleets.js";
import { herdContract } from "../../contract/herd.js";

herdContract("GLIDE", serverFleets({ createCache, location: inject("valkeyUrl"), transport: glide }));
