import { setTimeout as pause } from "node:timers/promises";
import { zlib } from "../../src/compressors/deflate.js";
import { type Cache, createCache, herd } from "../../src/index.js";
import { command } from "../support/command.js";
import { startProxy, type TcpProxy } from "../support/proxy.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { collectedHeap } from "./heap.js";
import { Load } from "./load.js";
import { STEPS, type StepName } from "./steps.js";

/** The result of a soak test. Sizes in MiB, times in milliseconds. */
export interface Soaked {
  readonly seconds: number;
  readonly calls: number;
  readonly faults: number;
  readonly failed: number;
  /** Errors that are not store errors. */
  readonly strange: readonly string[];
  readonly getOrSetFailed: number;
  readonly wrong: readonly string[];
  readonly longestMs: number;
  readonly stalledMs: number;
  /** After each tenth of the time. */
  readonly heap: readonly number[];
  readonly connections: number;
  readonly unhandled: number;
}

interface Scene {
  readonly server: ValkeyServer;
  readonly proxy: TcpProxy;
  readonly load: Load;
}

const DEADLINE = "500ms";
/** A paused server delays the commands that cause faults as well. */
const ADMIN_MS = 10_000;

/** Uses all features for some seconds under a sequence of random faults, and checks the result. */
export async function soak(seconds: number, random: () => number = Math.random): Promise<Soaked> {
  await using stack = new AsyncDisposableStack();
  let unhandled = 0;
  const onUnhandled = () => unhandled++;
  process.on("unhandledRejection", onUnhandled);
  stack.defer(() => void process.off("unhandledRejection", onUnhandled));
  const server = stack.use(await startValkey());
  const proxy = stack.use(await startProxy({ port: server.port }));
  const load = new Load(
    cachesAt(proxy).map((cache) => stack.use(cache)),
    { steps: Object.keys(STEPS) as StepName[], callers: 30, restMs: 5 },
  );
  const endMs = performance.now() + seconds * 1_000;
  const heap: number[] = [];
  let faults = 0;
  for (let part = 1; part <= 10; part++) {
    while (performance.now() < endMs - (1 - part / 10) * seconds * 1_000) {
      await fault({ server, proxy, load }, random);
      await pause(100 + random() * 300);
      faults++;
    }
    heap.push(collectedHeap());
  }
  await load.stop();
  const { calls, wrong, longestMs, stalledMs } = load;
  const failed = load.failed();
  const strange = load.failures
    .map(({ error }) => error)
    .filter((error) => !/^(Connection|Timeout)Error: /.test(error));
  const getOrSetFailed = load.failed("getOrSet");
  const connections = await settledConnections(server, proxy);
  const times = { seconds, longestMs, stalledMs };
  return { ...times, calls, faults, failed, strange, getOrSetFailed, wrong, heap, connections, unhandled };
}

/** The clients and the codecs, all over one connection. */
function cachesAt({ url: location }: TcpProxy): Cache[] {
  const options = { location, commandTimeout: DEADLINE, connectTimeout: DEADLINE } as const;
  return [
    createCache({ ...options, keyPrefix: "plain" }),
    createCache({ ...options, keyPrefix: "herd", client: herd() }),
    createCache({ ...options, keyPrefix: "small", client: herd(), compressor: zlib() }),
  ];
}

async function fault({ server, proxy, load }: Scene, random: () => number): Promise<void> {
  const forMs = 50 + random() * 600;
  const ask = (...args: [string, ...string[]]) => command(server.port, args, { timeoutMs: ADMIN_MS });
  const faults: (() => unknown)[] = [
    () => proxy.reset(),
    () => ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
    () => ask("SCRIPT", "FLUSH"),
    () => ask("CLIENT", "PAUSE", String(Math.round(forMs)), "ALL"),
    async () => {
      const reset = proxy.strand();
      await pause(forMs);
      reset();
    },
    async () => {
      proxy.delay(50);
      await pause(forMs);
      proxy.delay(0);
    },
    async () => {
      proxy.throttle();
      await pause(50);
      proxy.reset();
      proxy.throttle(false);
    },
    async () => {
      await server.kill("SIGSTOP");
      await pause(forMs);
      await server.kill("SIGCONT");
    },
    async () => {
      load.forget();
      await server.kill("SIGKILL");
      await server.restart();
      load.forget();
    },
  ];
  await faults[Math.floor(random() * faults.length)]?.();
}

/** The number of connections after abandoned ones have ended; GLIDE takes 3 s for that. */
async function settledConnections(server: ValkeyServer, proxy: TcpProxy): Promise<number> {
  const count = () => proxy.connections;
  await until(() => count() <= 1, { what: "old connections to end", timeoutMs: 8_000 }).catch(() => {});
  await command(server.port, ["PING"]);
  return count();
}
