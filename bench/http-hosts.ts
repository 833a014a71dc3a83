import { benchOptions, isComplete, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { type HttpCase, measureHits } from "./http/hits.ts";
import { contendersOf, type HttpHost, hosts, peersOf } from "./http/hosts.ts";
import { startProgram } from "./http/program.ts";
import { hostTable } from "./http/tables.ts";

export interface HostCase extends HttpCase {
  readonly host: string;
}

const options = benchOptions();
const sampling = options.quick ? { rounds: 3, sliceMs: 300 } : { rounds: 7, sliceMs: 700 };
// Processes are ended on exit, which these signals alone would skip.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
await using server = await startServer();
const cases: HostCase[] = [];
for (const host of hosts) cases.push(...(await measureHost(host, server.url)));
const result = {
  environment: await environment(server.version, [
    "hono",
    "@hono/node-server",
    "express",
    "fastify",
    "apicache",
    "apicache-plus",
    "route-cache",
    "@fastify/caching",
  ]),
  cases,
};
console.log(`\n${toMarkdown(hostTable(result))}`);
if (isComplete(options)) await writeResult("http-hosts", result);

/** Requests per second of hits, beside the handler alone and the peers. */
async function measureHost(host: HttpHost, url: string): Promise<HostCase[]> {
  const sizes = [1, 100].filter((kilobytes) => isWanted(`${host.host}, ${kilobytes} KB`, options));
  if (sizes.length === 0) return [];
  const contenders = await Promise.all(
    contendersOf(host).map(({ name, by }) => startProgram({ name, file: host.file, args: [by, url] })),
  );
  const hitSampling = { ...sampling, peersOf: (name: string) => peersOf(host, name) };
  const measured: HostCase[] = [];
  for (const kilobytes of sizes) {
    measured.push({ host: host.host, ...(await measureHits(kilobytes, contenders, hitSampling)) });
    console.log(`${host.host}, ${kilobytes} KB: measured`);
  }
  for (const { end } of contenders) end();
  return measured;
}
