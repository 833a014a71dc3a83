import { globSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brief } from "./brief.ts";
import { charts } from "./charts.ts";
import type { ColdStartCase } from "./cold-start.ts";
import type { WrapCase } from "./definitions.ts";
import type { DurableObjectCase } from "./durable-object.ts";
import type { AttemptCase, FaultCase, HostileCase, SoakCase } from "./faults.ts";
import { loadsTable, speedTable } from "./first-page.ts";
import { toSvg, toText } from "./harness/bar-chart.ts";
import { type Environment, readResult } from "./harness/results.ts";
import { type Table, toMarkdown } from "./harness/table.ts";
import type { HerdCase } from "./herd.ts";
import type { HttpCase } from "./http/hits.ts";
import type { MemoryCase } from "./http/memory.ts";
import type { OutgoingHerdCase } from "./http/outgoing/herd.ts";
import type { OutgoingCase } from "./http/outgoing/hits.ts";
import type { GrowthCase } from "./http/soak/growth.ts";
import type { SlowClientsCase } from "./http/soak/slow-clients.ts";
import {
  growthTable,
  hostTable,
  nextColdTable,
  nextTable,
  outgoingHerdTable,
  outgoingTable,
  slowClientsTable,
} from "./http/tables.ts";
import type { WaitingCase } from "./http/waiting.ts";
import type { HostCase } from "./http-hosts.ts";
import type { InspectorCase } from "./inspector.ts";
import type { LoadCase } from "./load.ts";
import type { ChangeCase } from "./near/changes.ts";
import type { HitCase } from "./near/hits.ts";
import type { ListenerCase } from "./near/listeners.ts";
import type { ColdCase } from "./next/cold.ts";
import type { NextCase } from "./next/hits.ts";
import { slowerTable } from "./slower.ts";
import type { StallCase } from "./stalls.ts";
import type { GridCase } from "./stores/grid.ts";
import {
  attemptTable,
  changeTable,
  coldStartTable,
  durableObjectTable,
  faultTable,
  gridTable,
  herdTable,
  hitTable,
  hostileTable,
  httpMemoryTable,
  httpTable,
  httpWaitingTable,
  inspectorTable,
  listenerTable,
  loadTable,
  makingTable,
  observabilityTable,
  type Result,
  requestTable,
  type ServerCase,
  serverTable,
  soakTable,
  stallTable,
  tagFloodTable,
  tagLogTable,
  tagPurgeTable,
  wrapTable,
} from "./tables.ts";
import type { FloodHitCase, LogCase } from "./tags/flood.ts";
import type { PurgeCase } from "./tags/purges.ts";
import type { MakingCase } from "./views/making.ts";
import type { RequestCase } from "./views/requests.ts";

/**
 * Writes the tables of results/*.json into the documents, each between `<!-- bench:NAME -->` and `<!-- /bench -->`, and draws
 * the charts: `<!-- chart:NAME -->` has the picture with its text alternative. With `--check` nothing is written, and a
 * document or a picture that says something else is an error.
 */
const root = new URL("../", import.meta.url);
const pictures = new URL("docs/benchmarks/", root);
const blocks = /(<!-- bench:([\w-]+) -->\n).*?(<!-- \/bench -->)/gs;
const chartBlocks = /(<!-- chart:([\w-]+) -->\n).*?(<!-- \/chart -->)/gs;

const tables: Readonly<Record<string, () => Promise<string | undefined>>> = {
  adapters: () => written<HitCase>("adapters", hitTable),
  "adapters-keyv": () => written<HitCase>("adapters", (result) => hitTable(through("keyv", result))),
  "adapters-unstorage": () => written<HitCase>("adapters", (result) => hitTable(through("unstorage", result))),
  basic: () => written<GridCase>("basic", (result) => gridTable(atOneKilobyte(result))),
  "basic-all": () => written<GridCase>("basic", gridTable),
  "basic-iovalkey": () => written<GridCase>("basic", (result) => gridTable(atOneKilobyte(result)), "iovalkey"),
  http: () => written<HttpCase>("http", httpTable),
  "http-waiting": () => written<WaitingCase>("http", httpWaitingTable, "waiting"),
  "http-memory": () => written<MemoryCase>("http", httpMemoryTable, "memory"),
  "http-hosts": () => written<HostCase>("http-hosts", hostTable),
  "http-fetch": () => written<OutgoingCase>("http-fetch", outgoingTable),
  "http-fetch-herd": () => written<OutgoingHerdCase>("http-fetch", outgoingHerdTable, "herd"),
  "http-soak": () => written<GrowthCase>("http-soak", growthTable),
  "http-slow-clients": () => written<SlowClientsCase>("http-soak", slowClientsTable, "slowClients"),
  next: () => written<NextCase>("next", nextTable),
  "next-cold": () => written<ColdCase>("next", nextColdTable, "cold"),
  near: () => written<HitCase>("near", hitTable),
  "near-get": () => written<HitCase>("near", (result) => hitTable(ofGet(result))),
  "near-changes": () => written<ChangeCase>("near", changeTable, "changes"),
  "near-listeners": () => written<ListenerCase>("near", listenerTable, "listeners"),
  inspector: () => written<InspectorCase>("inspector", inspectorTable),
  observability: () => written<GridCase>("observability", observabilityTable),
  stalls: () => written<StallCase>("stalls", stallTable),
  tags: () => written<HitCase>("tags", hitTable),
  "tags-purges": () => written<PurgeCase>("tags", tagPurgeTable, "purges"),
  "tags-flood": () => written<FloodHitCase>("tags", tagFloodTable, "hits"),
  "tags-log": () => written<LogCase>("tags", tagLogTable, "logs"),
  definitions: () => written<GridCase>("definitions", gridTable),
  "definitions-wrap": () => written<WrapCase>("definitions", wrapTable, "wraps"),
  views: () => written<HitCase>("views", hitTable),
  "views-making": () => written<MakingCase>("views", makingTable, "making"),
  "views-requests": () => written<RequestCase>("views", requestTable, "requests"),
  load: () => written<LoadCase>("load", loadTable),
  "cold-start": () => written<ColdStartCase>("cold-start", coldStartTable),
  "durable-object": () => written<DurableObjectCase>("durable-object", durableObjectTable),
  servers: async () => {
    const result = (await readResult("servers")) as { cases: readonly ServerCase[] } | undefined;
    return result && toMarkdown(serverTable(result.cases));
  },
  herd: () => written<HerdCase>("herd", herdTable),
  "first-page-loads": () => written<HerdCase>("herd", loadsTable),
  "first-page-speed": async () => toMarkdown(await speedTable()),
  faults: () => written<FaultCase>("faults", faultTable),
  attempts: () => written<AttemptCase>("attempts", attemptTable),
  soak: () => written<SoakCase>("soak", soakTable),
  brief,
  slower: async () => toMarkdown(await slowerTable()),
  hostile: () => written<HostileCase>("hostile", hostileTable),
  "herd-hit": () => written<GridCase>("herd-hit", (result) => gridTable(atOneKilobyte(result))),
};

const isCheck = process.argv.includes("--check");
for (const document of documents()) {
  const before = await readFile(document, "utf8");
  await replace(document, before, await withCharts(document, await filled(before)));
}
await mkdir(pictures, { recursive: true });
for (const [name, chart] of Object.entries(charts)) {
  const picture = new URL(`${name}.svg`, pictures);
  await replace(picture, await readFile(picture, "utf8").catch(() => ""), toSvg(await chart()));
}

async function replace(file: URL, before: string, after: string): Promise<void> {
  if (after === before) return;
  const path = file.pathname.slice(root.pathname.length);
  if (isCheck) {
    console.error(`${path} does not say what bench/results says; run node bench/report.ts`);
    process.exitCode = 1;
  } else {
    await writeFile(file, after);
    console.log(`${path} has the new results.`);
  }
}

function documents(): URL[] {
  const patterns = ["*.md", "docs/**/*.md", "bench/*.md"];
  // What the site is made from, and what is generated for it, has no figures of ours.
  const exclude = ["**/node_modules", "docs/reference", "docs/.vitepress"];
  return globSync(patterns, { cwd: fileURLToPath(root), exclude }).map((path) => new URL(path, root));
}

async function filled(text: string): Promise<string> {
  const made = new Map<string, string>();
  for (const [, , name = ""] of text.matchAll(blocks)) {
    const table = tables[name];
    if (!table) throw new Error(`there is no table bench:${name}; there are ${Object.keys(tables).join(", ")}`);
    made.set(name, (await table()) ?? "");
  }
  return text.replace(blocks, (block, begin: string, name: string, end: string) => {
    const table = made.get(name);
    return table ? `${begin}${table}\n${end}` : block;
  });
}

async function withCharts(document: URL, text: string): Promise<string> {
  const made = new Map<string, string>();
  for (const [, , name = ""] of text.matchAll(chartBlocks)) {
    const chart = charts[name];
    if (!chart) throw new Error(`there is no chart:${name}; there are ${Object.keys(charts).join(", ")}`);
    const path = relative(fileURLToPath(new URL(".", document)), fileURLToPath(new URL(`${name}.svg`, pictures)));
    made.set(name, `![${toText(await chart())}](${path.replaceAll("\\", "/")})`);
  }
  return text.replace(
    chartBlocks,
    (_, begin: string, name: string, end: string) => `${begin}${made.get(name)}\n${end}`,
  );
}

/**
 * The table of a result and what it was measured on; `undefined` before the first run.
 * @param part where the result has its cases
 */
async function written<Case>(
  name: string,
  table: (result: Result<Case>) => Table,
  part = "cases",
): Promise<string | undefined> {
  const result = (await readResult(name)) as
    | ({ environment: Environment } & Partial<Record<string, readonly Case[]>>)
    | undefined;
  const cases = result?.[part];
  if (!result || !cases) return undefined;
  return `${toMarkdown(table({ ...result, cases }))}\n\n${conditions(result.environment)}`;
}

function conditions({ node, valkey, system, cores, packages }: Environment): string {
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  const server = valkey === undefined ? [] : [`valkey-server ${valkey}`];
  return `Node ${node}, ${[...server, ...versions].join(", ")}; ${system}, ${cores} cores.`;
}

/** Single reads that hit, for the first page. */
function ofGet(result: Result<HitCase>): Result<HitCase> {
  return { ...result, cases: result.cases.filter(({ operation }) => operation.startsWith("get, ")) };
}

/** The library's own calls, and those through another one. */
function through(library: string, { cases, ...result }: Result<HitCase>): Result<HitCase> {
  const isOf = ({ name }: { name: string }): boolean => name === "cache.get" || name.startsWith(`${library}, `);
  return { ...result, cases: cases.map((one) => ({ ...one, contenders: one.contenders.filter(isOf) })) };
}

function atOneKilobyte(result: Result<GridCase>): Result<GridCase> {
  return { ...result, cases: result.cases.filter(({ size }) => size === "1 KB") };
}
