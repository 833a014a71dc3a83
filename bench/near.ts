import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { measureChanges } from "./near/changes.ts";
import { measureFills } from "./near/fills.ts";
import { measureHits } from "./near/hits.ts";
import { measureListeners } from "./near/listeners.ts";
import { changeTable, hitTable, listenerTable } from "./tables.ts";

/** What a near cache gains, and what it costs the process and the server. */
const options = benchOptions();
await using server = await startServer();
const cases = [...(await measureHits(server.url, options)), ...(await measureFills(server.url, options))];
const changes = await measureChanges(server.url, options);
const listeners = await measureListeners(server, options);
const packages = ["@valkey/valkey-glide", "lru-cache", "bentocache", "@redis/client"];
const result = { environment: await environment(server.version, packages), cases, changes, listeners };
console.log(`\n${toMarkdown(hitTable(result))}`);
console.log(`\n${toMarkdown(changeTable({ ...result, cases: changes }))}`);
console.log(`\n${toMarkdown(listenerTable({ ...result, cases: listeners }))}`);
if (isComplete(options)) await writeResult("near", result);
