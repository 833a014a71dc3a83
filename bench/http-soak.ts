import { benchOptions, isComplete, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { startProgram } from "./http/program.ts";
import { type GrowthCase, measureCaller, measureServer } from "./http/soak/growth.ts";
import { measureSlowClients, type SlowClientsCase } from "./http/soak/slow-clients.ts";
import { growthTable, slowClientsTable } from "./http/tables.ts";

const options = benchOptions();
const steps = options.quick ? [1_000, 5_000, 10_000] : [100_000, 500_000, 1_000_000];
const slow = options.quick ? { clients: 500, sliceMs: 300 } : { clients: 10_000, sliceMs: 2_000 };
// Processes are ended on exit, which these signals alone would skip.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
await using server = await startServer();
const { url } = server;
// Responses that are not requested again are for the server to drop.
await server.command("CONFIG", "SET", "maxmemory", "512mb");
await server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");

const contenders = [
  { name: "Express, httpCacheNode", by: "library" },
  { name: "Express, httpCacheNode, near cache", by: "near" },
];
const cases: GrowthCase[] = [];
// Those with a near cache have all that the others have, and entries besides.
for (const contender of contenders.filter(({ by }) => by === "near")) {
  if (isWanted(`requests, ${contender.name}`, options)) cases.push(await measureServer(contender, url, steps));
}
const caller = "cachedFetch, near cache";
if (isWanted(`requests, ${caller}`, options)) {
  const { port, end } = await startProgram({ name: "the origin", file: "outgoing/origin.ts", args: [] });
  cases.push(await measureCaller(caller, { origin: `http://127.0.0.1:${port}`, url }, steps));
  end();
}
const slowClients: SlowClientsCase[] = [];
const others = [
  { name: "Express, the handler alone", by: "handler" },
  { name: "Express, apicache, memory", by: "apicache" },
];
for (const contender of [...others, ...contenders]) {
  if (!isWanted(`slow clients, ${contender.name}`, options)) continue;
  slowClients.push(await measureSlowClients(contender, url, slow));
}
const result = { environment: await environment(server.version, ["express", "apicache"]), cases, slowClients };
for (const table of [growthTable(result), slowClientsTable({ ...result, cases: slowClients })]) {
  if (table.rows.length > 0) console.log(`\n${toMarkdown(table)}`);
}
if (isComplete(options)) await writeResult("http-soak", result);
