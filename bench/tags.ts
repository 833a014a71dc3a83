import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { hitTable, tagFloodTable, tagLogTable, tagPurgeTable } from "./tables.ts";
import { measureFlood } from "./tags/flood.ts";
import { measureHits } from "./tags/hits.ts";
import { measurePurges } from "./tags/purges.ts";

/** What tags cost a hit, what a purge costs, and what many purges cost everybody else. */
const options = benchOptions();
await using server = await startServer();
const cases = await measureHits(server.url, options);
const purges = await measurePurges(server, options);
await server.command("FLUSHALL", "SYNC");
const { hits, logs } = await measureFlood(server, options);
const result = { environment: await environment(server.version, ["@valkey/valkey-glide"]), cases, purges, hits, logs };
console.log(`\n${toMarkdown(hitTable(result))}`);
console.log(`\n${toMarkdown(tagPurgeTable({ ...result, cases: purges }))}`);
console.log(`\n${toMarkdown(tagFloodTable({ ...result, cases: hits }))}`);
console.log(`\n${toMarkdown(tagLogTable({ ...result, cases: logs }))}`);
if (isComplete(options)) await writeResult("tags", result);
