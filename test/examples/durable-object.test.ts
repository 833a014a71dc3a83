import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bin, build, output, root } from "../support/project.js";
import { startProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import { runWorker } from "../support/worker.js";

const folder = mkdtempSync(join(tmpdir(), "durable-object-"));
let script: string;

beforeAll(async () => {
  await build();
  const args = ["deploy", "--dry-run", "--outdir", folder];
  await output(join(bin, "wrangler"), args, join(root, "examples/durable-object"));
  script = readFileSync(join(folder, "worker.js"), "utf8");
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("answers 200 concurrent requests over one connection, also after the server has restarted", async () => {
  await using server = await startValkey();
  await using proxy = await startProxy(server);
  await using worker = await runWorker(
    script,
    { VALKEY_URL: proxy.url },
    { durableObjects: { VALKEY: "ValkeyObject" } },
  );
  const requestAll = () =>
    Promise.all(Array.from({ length: 200 }, async (_, index) => (await worker.fetch(`/page-${index % 50}`)).text));
  const loaded = await requestAll();
  expect(new Set(loaded).size).toBe(50);
  expect(await requestAll()).toEqual(loaded);
  expect(proxy.accepted).toBe(1);
  await server.restart();
  const again = await requestAll();
  expect(again).not.toEqual(loaded);
  expect(await requestAll()).toEqual(again);
});
