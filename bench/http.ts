import { setTimeout as sleep } from "node:timers/promises";
import { benchOptions, isComplete, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { median } from "./harness/statistics.ts";
import { toMarkdown } from "./harness/table.ts";
import { type HttpContender, startHono, startNginx, startVarnish } from "./http/contenders.ts";
import { type Load, load } from "./http/load.ts";
import { httpTable } from "./tables.ts";

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
await using server = await startServer();
const handler = await startHono("the handler alone");
const started = [
  handler,
  await startHono("handler with a plain GET", { by: "get", url: server.url }),
  await startHono("httpCache", { by: "httpCache", url: server.url }),
  await startNginx(handler.port),
  await startVarnish(handler.port),
];
const contenders = started.filter((one) => one !== undefined);
const sizes = [1, 100].filter((kilobytes) => isWanted(`${kilobytes} KB`, options));
const cases: HttpCase[] = [];
for (const kilobytes of sizes) cases.push(await measure(kilobytes));
for (const { end } of contenders) end();
const result = { environment: await environment(server.version, ["hono", "@hono/node-server"]), cases };
console.log(`\n${toMarkdown(httpTable(result))}`);
if (isComplete(options)) await writeResult("http", result);

/** Measures all contenders in each round, in alternating order, so that other work on the machine affects all alike. */
async function measure(kilobytes: number): Promise<HttpCase> {
  const path = `/${kilobytes}`;
  const slices = new Map<string, Load[]>(contenders.map(({ name }) => [name, []]));
  for (const contender of contenders) await warm(contender, path);
  for (let round = 0; round < rounds; round++) {
    for (const { name, port } of round % 2 === 0 ? contenders : contenders.toReversed()) {
      slices.get(name)?.push(await load(port, path, CONNECTIONS, sliceMs));
    }
  }
  const baseline = slices.get(handler.name) ?? [];
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
