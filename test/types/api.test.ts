import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { apiReport, FOLDER } from "../../scripts/api-report.mjs";
import { build, manifest } from "../support/project.js";

const CHANGED = "the public API has changed: if that is meant, run npm run api, and commit what it writes";

let report: ReadonlyMap<string, string>;

beforeAll(async () => {
  await build();
  report = apiReport();
}, 120_000);

it("the declarations of every subpath are those of test/types/api", () => {
  expect(readdirSync(FOLDER).sort(), CHANGED).toEqual([...report.keys()].sort());
  for (const [file, text] of report) expect(text, CHANGED).toBe(readFileSync(join(FOLDER, file), "utf8"));
});

it("the report has every subpath, members and signatures, and no comment, implementation or internal member", () => {
  expect(report.size).toBe(Object.keys(manifest.exports).filter((path) => path !== "./package.json").length);
  const main = report.get("index.d.ts.txt") ?? "";
  expect(main).toContain("interface Cache extends AsyncDisposable {");
  expect(main).toContain("    set<V>(key: Key, value: V, options?: SetOptions<NoInfer<V>>): Promise<boolean>;");
  expect(main).toContain("function createCache(options: CacheOptions | LocatedCacheOptions): Cache;");
  expect(main).not.toContain("settingsOf");
  const all = [...report.values()].join("\n");
  expect(all).not.toContain("/*");
  expect(all.match(/\/\/ .*/g)?.length).toBe(report.size);
  // What several subpaths export is declared once.
  expect(all.match(/^interface PolicyOptions /gm)).toHaveLength(1);
  expect(report.get("hono.d.ts.txt")).toContain(`export { PolicyOptions } from "${manifest.name}/http";`);
});
