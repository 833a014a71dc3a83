import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { command } from "../support/command.js";
import { launch } from "../support/launch.js";
import { blocksOf } from "../support/markdown.js";
import { freePort } from "../support/ports.js";
import { root } from "../support/project.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";
import { type App, createApp, environment } from "./app.js";

const page = readFileSync(join(root, "docs", "unstorage.md"), "utf8");

/** The block of docs/unstorage.md that begins with the name of its file. */
function documented(file: string): string {
  const block = blocksOf(page).find(({ code }) => code.startsWith(`// ${file}\n`));
  return block?.code ?? expect.fail(`docs/unstorage.md has no ${file}`);
}

const COUNTED = (name: string) => `
  let calls = 0;
  export default ${name}(() => ({ pid: process.pid, calls: ++calls }), { maxAge: 60, swr: false, name: "page" });
`;

const FILES = {
  "nitro.config.ts": documented("nitro.config.ts").replace("({", '({ compatibilityDate: "2026-01-01",'),
  "routes/page.ts": COUNTED("defineCachedEventHandler"),
  "routes/report/[id].ts": documented("routes/report/[id].ts"),
  "routes/item.ts": `export default defineEventHandler(async (event) => {
    const storage = useStorage("cache:items");
    if (event.method === "PUT") await storage.setItem("a:b", await readBody(event), { ttl: 60 });
    if (event.method === "DELETE") await storage.clear();
    return { item: await storage.getItem("a:b"), keys: await storage.getKeys(), meta: await storage.getMeta("a:b") };
  });`,
};

interface Instance extends AsyncDisposable {
  readonly log: () => string;
  call(
    path: string,
    init?: RequestInit,
  ): Promise<{ readonly status: number; readonly body: unknown; readonly ms: number }>;
}

/** An application that was built, as another process. */
async function serve({ folder }: App, location: string): Promise<Instance> {
  const port = await freePort();
  const variables = { ...environment(folder), PORT: String(port), VALKEY_URL: location };
  const settings = Object.entries(variables).map(([name, value = ""]) => `${name}=${value}`);
  const running = await launch("env", ["-i", ...settings, "node", ".output/server/index.mjs"], folder);
  const call: Instance["call"] = async (path, init) => {
    const startMs = performance.now();
    const response = await fetch(`http://localhost:${port}${path}`, init);
    const body: unknown = await response.json();
    return { status: response.status, body, ms: performance.now() - startMs };
  };
  await until(() => running.ended || call("/nothing").then(() => true), { what: "nitro", timeoutMs: 30_000 });
  if (running.ended) throw new Error(`the application ended: ${running.log()}`);
  return { call, log: running.log, [Symbol.asyncDispose]: () => running.stop() };
}

describe("an application of Nitro whose storage is the driver", () => {
  it("shares cached handlers, functions and items among its instances, keeps them over restarts, and answers without its server", async () => {
    await using server = await startValkey();
    using app = createApp(FILES);
    // Without a server: the configuration names none, and the build opens no connection.
    await app.run("env", "-u", "VALKEY_URL", "node", join(root, "test/tools/node_modules/.bin/nitro"), "build");

    let stored: unknown;
    {
      await using first = await serve(app, server.url);
      await using second = await serve(app, server.url);
      const made = await first.call("/page");
      expect(made).toMatchObject({ status: 200, body: { calls: 1 } });
      stored = made.body;
      expect((await second.call("/page")).body).toEqual(stored);
      expect((await first.call("/page")).body).toEqual(stored);

      const report = await second.call("/report/7");
      expect(report).toMatchObject({ status: 200, body: { id: "7" } });
      expect((await first.call("/report/7")).body).toEqual(report.body);

      const body = JSON.stringify({ name: "Ann" });
      const put = { method: "PUT", body, headers: { "content-type": "application/json" } };
      const item = { item: { name: "Ann" }, keys: ["a:b"], meta: { size: 14, ttl: expect.closeTo(60, -0.5) } };
      expect((await first.call("/item", put)).body).toEqual(item);
      expect((await second.call("/item")).body).toEqual(item);
      // As text that any client reads.
      expect(await command(server.port, ["GET", ":1:items:a:b"])).toBe(body);
      expect((await command(server.port, ["KEYS", "*"])) as string[]).toContainEqual(
        expect.stringMatching(/^:1:nitro:handlers:page:/),
      );
    }

    await using third = await serve(app, server.url);
    expect((await third.call("/page")).body).toEqual(stored);
    await server.kill("SIGKILL");
    for (const path of ["/page", "/report/8", "/item"]) {
      const { ms, status } = await third.call(path);
      // A handler that uses the storage itself has its error.
      expect(status, third.log()).toBe(path === "/item" ? 500 : 200);
      expect(ms, path).toBeLessThan(4_000);
    }
    await server.restart();
    await until(async () => (await third.call("/item")).status === 200, { what: "an answer", timeoutMs: 10_000 });
    expect((await third.call("/page")).body).toMatchObject({ calls: expect.any(Number) });
    expect(await command(server.port, ["KEYS", "*"])).toHaveLength(1);
  });
});
