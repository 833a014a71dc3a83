import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { command } from "../support/command.js";
import { bin, build, root } from "../support/project.js";
import { startProxy, type TcpProxy } from "../support/proxy.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

const FROZEN_MS = 1_500;
const MAX_THAW_MS = 2_000;

/** A process like those of serverless hosts: it runs one task on request and reports the outcome. */
const FUNCTION = `
  import { createInterface } from "node:readline";
  import { createCache, glide, herd, iovalkey } from ${JSON.stringify(pathToFileURL(join(root, "dist/index.js")).href)};

  const [location, transport] = process.argv.slice(1);
  const connectionFactory = transport === "glide" ? glide() : iovalkey();
  const cache = createCache({ location, connectionFactory, client: herd(), keyPrefix: transport });
  const tasks = {
    warm: async () => {
      await cache.set("key", "value");
      return cache.get("key");
    },
    // Until it succeeds.
    get: async () => {
      for (;;) {
        try {
          return (await cache.get("key")) ?? "gone";
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    },
    getOrSet: () => cache.getOrSet("key", () => "value"),
  };
  for await (const task of createInterface({ input: process.stdin })) {
    const started = performance.now();
    const result = await tasks[task]().catch((error) => String(error));
    console.log(JSON.stringify({ result, ms: performance.now() - started }));
  }
  await cache.close();
`;

interface Outcome {
  readonly result: string;
  readonly ms: number;
}

class Frozen implements Disposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(location: string, transport: string) {
    const args = ["--input-type=module", "--eval", FUNCTION, location, transport];
    this.#child = spawn(join(bin, "node"), args, { stdio: ["pipe", "pipe", "inherit"] });
    const { stdout } = this.#child;
    if (!stdout) throw new Error("the process has no standard output");
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  async ask(task: "warm" | "get" | "getOrSet"): Promise<Outcome> {
    this.#child.stdin?.write(`${task}\n`);
    return JSON.parse((await this.#lines.next()).value ?? '{ "result": "the process ended" }');
  }

  async during(work: () => Promise<unknown>): Promise<void> {
    this.#child.kill("SIGSTOP");
    await Promise.all([work(), new Promise((resolve) => setTimeout(resolve, FROZEN_MS))]);
    this.#child.kill("SIGCONT");
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }

  /** It ends by itself, with nothing left that would keep it. */
  async end(): Promise<unknown> {
    this.#child.stdin?.end();
    const [code] = await once(this.#child, "exit");
    return code;
  }
}

interface Place {
  readonly server: ValkeyServer;
  readonly proxy: TcpProxy;
}

const MEANWHILE: Record<string, (place: Place) => Promise<unknown>> = {
  "nothing happened": async () => {},
  "the server closed the connection": ({ server }) =>
    command(server.port, ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]),
  "the server was restarted": ({ server }) => server.restart(),
  "the network forgot the connection": async ({ proxy }) => proxy.strand(),
};

describe.concurrent.each(["glide", "iovalkey"])("a process that was frozen, over %s", (transport) => {
  beforeAll(() => build(), 120_000);

  describe.each(Object.keys(MEANWHILE))("while %s", (what) => {
    it.each(["get", "getOrSet"] as const)("answers %s within two seconds", async (task) => {
      await using server = await startValkey();
      await using proxy = await startProxy(server);
      using frozen = new Frozen(proxy.url, transport);
      expect(await frozen.ask("warm")).toMatchObject({ result: "value" });
      await frozen.during(() => MEANWHILE[what]?.({ server, proxy }) ?? Promise.reject(new Error(what)));
      const { result, ms } = await frozen.ask(task);
      expect(result).toMatch(/^(value|gone)$/);
      expect(ms).toBeLessThan(MAX_THAW_MS);
      expect(await frozen.ask("getOrSet")).toMatchObject({ result: "value" });
      expect(await frozen.end()).toBe(0);
    });
  });
});
