import { setTimeout as sleep } from "node:timers/promises";
import { benchOptions, isComplete, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { median } from "./harness/statistics.ts";
import { toMarkdown } from "./harness/table.ts";
import { type HttpContender, startHono, startNginx, startVarnish } from "./http/contenders.ts";
import { builtCheckout } from "./http/library.ts";
import { type Load, load } from "./http/load.ts";
import { bodies, type MemoryCase, measureMemory } from "./http/memory.ts";
import type { Version } from "./http/slow-servers.ts";
import { measureWaiting, scenarios, type WaitingCase } from "./http/waiting.ts";
import { httpMemoryTable, httpTable, httpWaitingTable } from "./tables.ts";

export interface HttpCase {
  /** Of the body, in KB. */
  readonly kilobytes: number;
  readonly contenders: readonly {
    readonly name: string;
    readonly perSecond: number;
    readonly p99Ms: number;
    /** Its requests per second by those of the handler in the same round: the median. */
    readonly ratio: number;
  }[];
}

const CONNECTIONS = 50;

const options = benchOptions();
const { rounds, sliceMs } = options.quick ? { rounds: 3, sliceMs: 300 } : { rounds: 9, sliceMs: 2_000 };
const checkout = options.before === undefined ? undefined : builtCheckout(options.before);
// Processes are ended on exit, which these signals alone would skip.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
await using server = await startServer();
const { url } = server;
const cases = await measureHits();
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
async function measureHits(): Promise<HttpCase[]> {
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
  const hits: HttpCase[] = [];
  for (const kilobytes of sizes) hits.push(await measure(kilobytes, contenders));
  for (const { end } of contenders) end();
  return hits;
}

/** Measures all contenders in each round, in alternating order, so that other work on the machine affects all alike. */
async function measure(kilobytes: number, contenders: readonly HttpContender[]): Promise<HttpCase> {
  const path = `/${kilobytes}`;
  const slices = new Map<string, Load[]>(contenders.map(({ name }) => [name, []]));
  for (const contender of contenders) await warm(contender, path);
  for (let round = 0; round < rounds; round++) {
    for (const { name, port } of round % 2 === 0 ? contenders : contenders.toReversed()) {
      slices.get(name)?.push(await load(port, path, CONNECTIONS, sliceMs));
    }
  }
  const baseline = slices.get(contenders[0]?.name ?? "") ?? [];
  const rows = [...slices].map(([name, own]) => ({
    name,
    perSecond: median(own.map(({ perSecond }) => perSecond)),
    p99Ms: median(own.map(({ p99Ms }) => p99Ms)),
    ratio: median(own.map(({ perSecond }, round) => perSecond / (baseline[round]?.perSecond ?? Number.NaN))),
  }));
  return { kilobytes, contenders: rows };
}

/** Until it is stored, and the code is compiled. */
async function warm({ port }: HttpContender, path: string): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await (await fetch(`http://127.0.0.1:${port}${path}`)).arrayBuffer();
    await sleep(50);
  }
  await load(port, path, CONNECTIONS, sliceMs);
}
