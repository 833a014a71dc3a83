import { benchOptions, isComplete, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { startHono, startNginx, startVarnish } from "./http/contenders.ts";
import { type HttpCase, measureHits } from "./http/hits.ts";
import { builtCheckout } from "./http/library.ts";
import { bodies, type MemoryCase, measureMemory } from "./http/memory.ts";
import type { Version } from "./http/slow-servers.ts";
import { measureWaiting, scenarios, type WaitingCase } from "./http/waiting.ts";
import { httpMemoryTable, httpTable, httpWaitingTable } from "./tables.ts";

const options = benchOptions();
const sampling = options.quick ? { rounds: 3, sliceMs: 300 } : { rounds: 9, sliceMs: 2_000 };
const checkout = options.before === undefined ? undefined : builtCheckout(options.before);
// Processes are ended on exit, which these signals alone would skip.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
await using server = await startServer();
const { url } = server;
const cases = await hits();
const versions: Version[] = [
  { name: "the handler alone" },
  { name: "httpCache", url },
  ...(checkout === undefined ? [] : [{ name: "httpCache, before", url, checkout }]),
];
const waiting: WaitingCase[] = [];
for (const scenario of scenarios.filter(({ name }) => isWanted(`waiting, ${name}`, options))) {
  waiting.push(await measureWaiting(scenario, versions, options.quick ? 1 : 5));
}
const memory: MemoryCase[] = [];
for (const body of bodies.filter((one) => isWanted(`memory, ${one.body}`, options))) {
  memory.push(
    await measureMemory(body, versions, options.quick ? { rounds: 1, pauseMs: 10 } : { rounds: 3, pauseMs: 50 }),
  );
}
const result = {
  environment: await environment(server.version, ["hono", "@hono/node-server"]),
  cases,
  waiting,
  memory,
};
const tables = [
  httpTable(result),
  httpWaitingTable({ ...result, cases: waiting }),
  httpMemoryTable({ ...result, cases: memory }),
];
for (const table of tables) if (table.rows.length > 0) console.log(`\n${toMarkdown(table)}`);
if (isComplete(options)) await writeResult("http", result);

/** Requests per second of hits. */
async function hits(): Promise<HttpCase[]> {
  const sizes = [1, 100].filter((kilobytes) => isWanted(`${kilobytes} KB`, options));
  if (sizes.length === 0) return [];
  const handler = await startHono("the handler alone");
  const started = [
    handler,
    await startHono("handler with a plain GET", { by: "get", url }),
    await startHono("httpCache", { by: "httpCache", url }),
    await startHono("httpCache with a near cache", { by: "nearCache", url }),
    checkout === undefined ? undefined : await startHono("httpCache, before", { by: "httpCache", url, checkout }),
    await startNginx(handler.port),
    await startVarnish(handler.port),
  ];
  const contenders = started.filter((one) => one !== undefined);
  const measured: HttpCase[] = [];
  for (const kilobytes of sizes) measured.push(await measureHits(kilobytes, contenders, sampling));
  for (const { end } of contenders) end();
  return measured;
}
