import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { command } from "../support/command.js";
import { output } from "../support/project.js";
import { runScript } from "../support/script.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";
import { keepFigures } from "./figures.js";

const DEADLINE_MS = 500;

/** Uses a cache until all has gone well for a while after something failed, and tells how it went. */
const USER = (location: string) => `
  const cache = lib.createCache({ location: "${location}", commandTimeout: 0.5, connectTimeout: 0.5 });
  const told = { calls: 0, failed: 0, getOrSetFailed: 0, longestMs: 0, lastFailureMs: 0 };
  const call = async (run) => {
    const startMs = performance.now();
    told.calls++;
    const end = await run().then(() => undefined, (error) => ({ error }));
    told.longestMs = Math.max(told.longestMs, performance.now() - startMs);
    if (end) told.lastFailureMs = Date.now();
    return end ? 1 : 0;
  };
  for (;;) {
    told.failed += await call(() => cache.set("seen", 1));
    told.getOrSetFailed += await call(() => cache.getOrSet("a", () => 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (told.failed > 0 && Date.now() - told.lastFailureMs > 1_200) break;
  }
  await cache.close();
  console.log(JSON.stringify(told));
`;

/** Processes of their own may have names of their own, where the system lets users have name spaces. */
const canRename = await output("unshare", ["-rm", "true"]).then(
  () => true,
  () => false,
);

it.skipIf(!canRename)("a name that gets another address is looked up again", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "hosts-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const hosts = join(folder, "hosts");
  const point = (address: string) => writeFile(hosts, `${address} cache.test\n`);
  const old = stack.use(await startValkey());
  await point("127.0.0.1");
  const launcher = ["unshare", "-rm", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts];
  const running = runScript(USER(`valkey://cache.test:${old.port}`), 20_000, launcher);
  await until(async () => (await command(old.port, ["EXISTS", ":1:seen"])) === 1, { what: "the cache to be used" });
  await old.kill("SIGKILL");
  // The same port of another of this machine's own addresses, beside the one that tests look at.
  stack.use(await startValkey({ args: ["--port", String(old.port), "--bind", "127.0.0.2"], answersAt: "127.0.0.2" }));
  await point("127.0.0.2");
  const healedMs = Date.now();
  const { stdout, stderr } = await running;
  expect(stderr).toBe("");
  const { lastFailureMs, ...told } = JSON.parse(stdout) as Record<string, number>;
  const recoveryMs = Math.max(0, (lastFailureMs ?? 0) - healedMs);
  expect(told).toMatchObject({ getOrSetFailed: 0 });
  expect(told.longestMs).toBeLessThan(DEADLINE_MS + 400);
  expect(recoveryMs).toBeLessThan(2_000);
  const name = "a server's name gets another address, and the old server is killed";
  await keepFigures({ name, deadlineMs: DEADLINE_MS, recoveryMs, wrong: 0, unhandled: 0, ...told });
});
