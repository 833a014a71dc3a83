import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { bin, output } from "../support/project.js";
import { runWorker, type WorkerFile } from "../support/worker.js";
import { fromOf } from "./cache-status.js";

/** What Cloudflare takes on its free plan, compressed. */
const MAX_BYTES = 3 * 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), "example-worker-"));
let script: string;
let files: WorkerFile[];

beforeAll(async () => {
  // With the repository's wrangler.toml, which `npx wrangler dev` goes by.
  await output(join(bin, "wrangler"), ["deploy", "--dry-run", "--minify", "--outdir", folder]);
  const read = (name: string) => readFileSync(join(folder, name));
  script = read("worker.js").toString();
  files = readdirSync(folder)
    .filter((name) => /\.(bin|html)$/.test(name))
    .map((path) => ({ type: path.endsWith(".bin") ? "Data" : "Text", path, contents: new Uint8Array(read(path)) }));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("fits what a Worker may hold, data and all", () => {
  const sizes = [Buffer.from(script), ...files.map(({ contents }) => contents)].map((part) => gzipSync(part).length);
  expect(files).toHaveLength(2);
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(MAX_BYTES);
});

it.each([
  ["in Valkey", () => ({ VALKEY_URL: inject("valkeyUrl") })],
  ["in memory", () => ({})],
])("serves the example, its cache %s", async (_, bindings) => {
  await using worker = await runWorker(script, bindings(), { files });
  const first = await worker.fetch("/cities/near?lat=52.52&lng=13.405&n=1");
  expect(first.status).toBe(200);
  expect(JSON.parse(first.text)).toMatchObject({ results: [{ country: "DE" }] });
  expect(await worker.fetch("/cities/near?lat=52.52&lng=13.405&n=1")).toEqual(first);
  expect(fromOf(await worker.header("/cities/near?lat=52.52&lng=13.405&n=1", "cache-status"))).toBe("hit");
  expect((await worker.fetch("/")).text).toContain("<!doctype html>");
  expect((await worker.fetch("/cities/search?q=")).status).toBe(400);
  // Whatever the host is called: a Worker can't see whether a client is on this machine.
  expect(JSON.parse((await worker.fetch("/demo")).text)).toMatchObject({ isPossible: false });
  expect((await worker.fetch("/demo/callers", { method: "POST" })).status).toBe(403);
  expect((await worker.fetch("/inspector/")).status).toBe(404);
});

it.each([
  ["in Valkey", () => ({ VALKEY_URL: inject("valkeyUrl") })],
  ["in memory", () => ({})],
])("has the inspector and the buttons for clients with INSPECTOR_TOKEN, its cache %s", async (_, bindings) => {
  await using worker = await runWorker(script, { ...bindings(), INSPECTOR_TOKEN: "secret" }, { files });
  const authorized = { headers: { authorization: "Bearer secret" } };
  expect((await worker.fetch("/inspector/api/info")).status).toBe(401);
  expect(JSON.parse((await worker.fetch("/inspector/api/info", authorized)).text)).toMatchObject({ prefix: "cities" });
  expect((await worker.fetch("/demo/callers", { method: "POST" })).status).toBe(401);
  const called = await worker.fetch("/demo/callers", { method: "POST", ...authorized });
  expect(JSON.parse(called.text)).toMatchObject({ callers: 500, instances: 1, loads: 1, waited: 499 });
  expect((await worker.fetch("/demo/purge", { method: "POST", ...authorized })).status).toBe(200);
  expect((await worker.fetch("/demo/outage", { method: "POST", ...authorized })).status).toBe(404);
});
