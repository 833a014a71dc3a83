import { inject } from "vitest";
import { createCache } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { bodies } from "../contract/http/bodies.js";
import { differential } from "../contract/http/differential.js";
import { httpContract } from "../contract/http.js";

const NAME = "iovalkey in workerd";
const open = () => createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() }).for({});

httpContract(NAME, open);

differential(NAME, { open, numRuns: 20 });

bodies();
