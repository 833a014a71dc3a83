import { createCache } from "../../../src/index.js";
import { memoryFleets } from "../../contract/herd/memory-fleets.js";
import { herdContract } from "../../contract/herd.js";

herdContract("memory", memoryFleets(createCache));
