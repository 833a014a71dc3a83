import { benchOptions } from "./harness/options.ts";
import { startServer } from "./harness/server.ts";
import { measureHits } from "./near/hits.ts";

const options = benchOptions();
await using server = await startServer();
const hits = await measureHits(server.url, options);
console.log(hits.length);
