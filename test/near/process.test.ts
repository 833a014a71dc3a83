import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CacheOptions, iovalkey } from "../../src/index.js";
import { command } from "../support/command.js";
import { bin, build, root } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { listenersAt, Near } from "./near.js";

const STALE_MS = 500;

/** Reads until it knows the value, and then at each line of its input. */
const PROGRAM = `
  import { createInterface } from "node:readline";
  import { createCache, iovalkey, nearCache } from ${JSON.stringify(pathToFileURL(join(root, "dist/index.js")).href)};

  const [location] = process.argv.slice(1);
  const near = nearCache({ maxStaleness: ${STALE_MS / 1_000} });
  const cache = createCache({ location, connectionFactory: iovalkey(), nearCache: near, keyPrefix: "app" });
  let sent = 0;
  cache.on("roundTrip", () => sent++);
  await cache.set("key", 1);
  for (let before = -1; before !== sent; await new Promise((resolve) => setTimeout(resolve, 5))) {
    before = sent;
    await cache.get("key");
  }
  const { invalidation } = (await cache.health()).nearCache;
  const kept = process.getActiveResourcesInfo().filter((type) => /TCP|Timeout|Immediate/.test(type));
  console.log(JSON.stringify({ invalidation, kept }));
  for await (const _line of createInterface({ input: process.stdin })) console.log(await cache.get("key"));
`;

let server: ValkeyServer;
beforeAll(async () => {
  server = await startValkey();
  await build();
}, 60_000);
afterAll(() => server.stop());

class Program implements Disposable {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(env: Record<string, string> = {}) {
    this.child = spawn(join(bin, "node"), ["--input-type=module", "--eval", PROGRAM, server.url], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    const { stdout } = this.child;
    if (!stdout) throw new Error("it has no output");
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  async line(): Promise<unknown> {
    const { value } = await this.#lines.next();
    return value === undefined ? undefined : JSON.parse(value);
  }

  read(): Promise<unknown> {
    this.child.stdin?.write("read\n");
    return this.line();
  }

  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
  }
}

describe("a process with a near cache", () => {
  it("is kept alive by the connection for commands alone", async () => {
    using program = new Program();
    expect(await program.line()).toEqual({ invalidation: "tracking", kept: ["TCPSocketWrap"] });
    expect(await listenersAt(server.port)).toHaveLength(1);
  });

  it.each([
    ["tracking", {}],
    // As there, each instance would have a listener of its own.
    ["ttl", { AWS_LAMBDA_FUNCTION_NAME: "function" }],
  ])(
    "answers nothing old after it was frozen, with invalidation %s",
    async (invalidation, env: Record<string, string>) => {
      using program = new Program(env);
      expect(await program.line()).toMatchObject({ invalidation });
      const listeners = invalidation === "tracking" ? 1 : 0;
      await until(async () => (await listenersAt(server.port)).length === listeners, { what: "its listener alone" });
      program.child.kill("SIGSTOP");
      const frozenMs = performance.now();
      await command(server.port, ["SET", "app:1:key", "2"]);
      // It is in the pipe when the process goes on.
      const answer = program.read();
      await until(() => performance.now() - frozenMs > STALE_MS + 50, { what: "maxStaleness to pass" });
      program.child.kill("SIGCONT");
      expect(await answer).toBe(2);
    },
  );
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function use(port: number): Promise<WeakRef<object>> {
  const options = { location: `valkey://127.0.0.1:${port}`, connectionFactory: iovalkey(), keyPrefix: "app" };
  const near = new Near(options as CacheOptions);
  await near.keep("key", 1);
  return new WeakRef(near.cache);
}

it("a cache that is dropped without a call of close() is collected, and its listener ends", async () => {
  await using own = await startValkey();
  const dropped = await use(own.port);
  expect(await listenersAt(own.port)).toHaveLength(1);
  const isCollected = () => {
    collect();
    return dropped.deref() === undefined;
  };
  await until(isCollected, { what: "the cache to be collected", everyMs: 50 });
  await until(async () => (await listenersAt(own.port)).length === 0, { what: "the listener to end" });
});
