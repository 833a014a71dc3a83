import { benchOptions, isComplete, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { measureOutgoingHerd, type OutgoingHerdCase } from "./http/outgoing/herd.ts";
import { measureOutgoing, type OutgoingCase } from "./http/outgoing/hits.ts";
import { startProgram } from "./http/program.ts";
import { outgoingHerdTable, outgoingTable } from "./http/tables.ts";

const options = benchOptions();
const sampling = options.quick ? { rounds: 3, sliceMs: 200 } : { rounds: 9, sliceMs: 1_000 };
// Processes are ended on exit, which these signals alone would skip.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
await using server = await startServer();
const { port, end } = await startProgram({ name: "the origin", file: "outgoing/origin.ts", args: [] });
const origin = `http://127.0.0.1:${port}`;
const location = server.url;
const cases: OutgoingCase[] = [];
for (const kilobytes of [1, 100].filter((size) => isWanted(`hits, ${size} KB`, options))) {
  cases.push(await measureOutgoing(kilobytes, { origin, location, sampling }));
}
const herd: OutgoingHerdCase[] = [];
if (isWanted("herd", options)) herd.push(await measureOutgoingHerd(origin, location, options.quick ? 1 : 5));
end();
const result = { environment: await environment(server.version, ["undici"]), cases, herd };
for (const table of [outgoingTable(result), outgoingHerdTable({ ...result, cases: herd })]) {
  if (table.rows.length > 0) console.log(`\n${toMarkdown(table)}`);
}
if (isComplete(options)) await writeResult("http-fetch", result);
// The library's and undici's connections would keep this process.
process.exit();
