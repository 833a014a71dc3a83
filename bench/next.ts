import { ensureTools } from "../scripts/packages.mjs";
import { benchOptions, isComplete, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { nextColdTable, nextTable } from "./http/tables.ts";
import { type Application, buildApplication, mapHandlers, nextHandlers, packageHandlers } from "./next/application.ts";
import { type ColdCase, measureCold, startOrigin } from "./next/cold.ts";
import { measurePage, type NextCase } from "./next/hits.ts";

/** Requests of a cached page of a Next application, and of a page that no instance has. */
const options = benchOptions();
const sampling = options.quick ? { rounds: 3, sliceMs: 300 } : { rounds: 9, sliceMs: 1_000 };
const rounds = options.quick ? 1 : 3;
// Processes are ended on exit, which these signals alone would skip.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
// Next is a package of test/tools.
await ensureTools();
await using server = await startServer();
const location = server.url;
using incremental = await buildApplication("incremental");
using components = await buildApplication("components");
const pages = [
  { page: "a static page", application: incremental, path: "/isr", loads: "isr" },
  { page: 'a page with "use cache"', application: components, path: "/post", loads: "local" },
];
const cases: NextCase[] = [];
for (const { page, application, path } of pages) {
  if (isWanted(`hits, ${page}`, options)) cases.push(await measureHits(page, application, `${path}/hit`));
}
const cold: ColdCase[] = [];
for (const page of pages) {
  if (isWanted(`cold, ${page.page}`, options))
    cold.push(await measureCold(page, [nextHandlers, ...packageHandlers], { location, rounds }));
}
const result = { environment: await environment(server.version, ["next", "react"]), cases, cold };
for (const table of [nextTable(result), nextColdTable({ ...result, cases: cold })]) {
  if (table.rows.length > 0) console.log(`\n${toMarkdown(table)}`);
}
if (isComplete(options)) await writeResult("next", result);
// Connections to instances that have ended would keep this process.
process.exit();

async function measureHits(page: string, application: Application, path: string): Promise<NextCase> {
  // Nothing is loaded once the page is cached.
  await using origin = await startOrigin(0);
  const instances = await Promise.all(
    [nextHandlers, mapHandlers, ...packageHandlers].map((own) =>
      application.start(own, { origin: origin.url, location }),
    ),
  );
  const measured = await measurePage(instances, path, sampling);
  for (const { end } of instances) end();
  return { page, ...measured };
}
