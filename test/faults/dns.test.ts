import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { command } from "../support/command.js";
import { output } from "../support/project.js";
import { relay } from "../support/relay.js";
import { runScript } from "../support/script.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import type { Figures } from "./fault.js";
import { keepFigures } from "./figures.js";

const DEADLINE_MS = 500;

type Counts = Omit<Figures, "name" | "deadlineMs" | "recoveryMs" | "wrong" | "unhandled">;

/** Uses a cache until it finds a stop signal, and prints the counts. */
const USER = (location: string) => `
  import { monitorEventLoopDelay } from "node:perf_hooks";
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const timeouts = { commandTimeout: 0.5, connectTimeout: 0.5 };
  const cache = lib.createCache({ location: "${location}", ...timeouts, onError: () => {} });
  const heap = () => process.memoryUsage().heapUsed / 2 ** 20;
  const counts = { calls: 0, failed: 0, getOrSetFailed: 0, longestMs: 0, heapBefore: heap() };
  const call = async (run) => {
    const startMs = performance.now();
    counts.calls++;
    const failed = await run().then(() => 0, () => 1);
    counts.longestMs = Math.max(counts.longestMs, performance.now() - startMs);
    counts.failed += failed;
    return failed;
  };
  for (;;) {
    await call(() => cache.set("used", 1));
    counts.getOrSetFailed += await call(() => cache.getOrSet("a", () => 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (await cache.get("stop").catch(() => undefined)) break;
  }
  await cache.close();
  console.log(JSON.stringify({ ...counts, heapAfter: heap(), stalledMs: delay.max / 1e6 }));
`;

/** Takes connections on an address of this machine, for a server. */
async function answerAt(address: string, port: number, server: ValkeyServer): Promise<AsyncDisposable> {
  const faults = { paused: false, silenced: false, delayMs: 0, throttled: false };
  const listener = createServer({ allowHalfOpen: true }, (client) =>
    relay(client, { host: server.host, port: server.port, faults, onClientTurn: () => {} }),
  );
  await new Promise<void>((resolve, reject) => listener.once("error", reject).listen(port, address, resolve));
  return listener;
}

/** Processes of their own may have names of their own, where the system lets users have name spaces. */
const canRename = await output("unshare", ["-rm", "true"]).then(
  () => true,
  () => false,
);

it.skipIf(!canRename)(
  "a name that gets another address is looked up again",
  async () => {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "hosts-"));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const hosts = join(folder, "hosts");
    const point = (address: string) => writeFile(hosts, `${address} cache.test\n`);
    const old = stack.use(await startValkey());
    await point("127.0.0.1");
    const launcher = ["unshare", "-rm", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts];
    const running = runScript(USER(`valkey://cache.test:${old.port}`), 80_000, launcher);
    const isUsed = async () => (await command(old.port, ["EXISTS", ":1:used"])) === 1;
    await until(isUsed, { what: "the cache to be used", timeoutMs: 30_000 });
    await old.kill("SIGKILL");
    const next = stack.use(await startValkey());
    stack.use(await answerAt("127.0.0.2", old.port, next));
    await point("127.0.0.2");
    const healedMs = performance.now();
    await until(async () => (await command(next.port, ["EXISTS", ":1:used"])) === 1, { what: "the cache to follow" });
    const recoveryMs = performance.now() - healedMs;
    await command(next.port, ["SET", ":1:stop", "1"]);
    const { stdout, stderr } = await running;
    expect(stderr).toBe("");
    const { stalledMs, ...counts } = JSON.parse(stdout) as Counts & { readonly stalledMs: number };
    expect(counts).toMatchObject({ getOrSetFailed: 0 });
    expect(counts.longestMs - stalledMs).toBeLessThan(DEADLINE_MS + 400);
    expect(recoveryMs).toBeLessThan(4_000);
    const name = "a server's name gets another address, and the old server is killed";
    await keepFigures(name, { name, deadlineMs: DEADLINE_MS, recoveryMs, wrong: 0, unhandled: 0, ...counts });
  },
  90_000,
);
