import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { hitTable, makingTable, requestTable } from "./tables.ts";
import { measureMaking } from "./views/making.ts";
import { measureNamespaces } from "./views/namespaces.ts";
import { measureRequests } from "./views/requests.ts";

/** What views of a cache cost, and save: namespaces, and views that read each key once. */
const options = benchOptions();
await using server = await startServer();
const making = await measureMaking(options);
const cases = await measureNamespaces(server.url, options);
const requests = await measureRequests(server, options);
const packages = ["@valkey/valkey-glide", "dataloader"];
const result = { environment: await environment(server.version, packages), making, cases, requests };
console.log(`\n${toMarkdown(makingTable({ ...result, cases: making }))}`);
console.log(`\n${toMarkdown(hitTable(result))}`);
console.log(`\n${toMarkdown(requestTable({ ...result, cases: requests }))}`);
if (isComplete(options)) await writeResult("views", result);
