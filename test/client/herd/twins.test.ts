import { inject } from "vitest";
import { glide } from "../../../src/connection/glide/factory.js";
import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";
import { twins } from "../../contract/herd/twins.js";

twins("GLIDE", { connect: () => glide().connect(parseLocation(inject("valkeyUrl")), PROCESS), numRuns: 600 });
