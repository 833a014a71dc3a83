import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { launch } from "../support/launch.js";
import { freePort } from "../support/ports.js";
import { type RestServer, startRestServer } from "../support/rest-server.js";
import { until } from "../support/wait.js";
import { type App, createApp, environment, storedKeys, tools } from "./app.js";

const route = (runtime: string, server: string, imports = "") => `
  import { createCache, herd } from "valkey-edge-cache";
  import { requestHandler } from "valkey-edge-cache/hosts";
  ${imports}

  export const runtime = "${runtime}";
  export const dynamic = "force-dynamic";

  const cache = createCache({ ${server}, client: herd(), keyPrefix: process.env.KEY_PREFIX, ttl: "1m" });
  let loads = 0;

  async function answer(request, cache) {
    const value = await cache.getOrSet("city", () => {
      loads++;
      return { name: "Bern" };
    });
    const { transport } = await cache.health();
    return Response.json({ value, loads, transport });
  }

  export const GET = requestHandler(cache, answer, { waitUntil: () => {} });
`;

const application = ({ url, token }: RestServer) => ({
  "app/layout.js": "export default ({ children }) => <html><body>{children}</body></html>;",
  // The build, which evaluates routes, needs no server.
  "app/node/route.js": route("nodejs", 'location: process.env.VALKEY_URL ?? "memory:"'),
  "app/memory/route.js": route("edge", 'location: "memory:"'),
  "app/rest/route.js": route(
    "edge",
    `connectionFactory: rest(${JSON.stringify({ url, token })})`,
    'import { rest } from "valkey-edge-cache/rest";',
  ),
});

const next = join(tools, "node_modules", "next", "dist", "bin", "next");

describe("an application that next build has bundled", () => {
  it.each([["turbopack"], ["webpack"]])("with %s caches in route handlers of both runtimes", async (bundler) => {
    await using endpoint = await startRestServer({ port: Number(new URL(inject("valkeyUrl")).port) });
    using app = createApp(application(endpoint));
    await app.run("node", next, "build", `--${bundler}`);
    const value = { name: "Bern" };
    // An edge route runs in an isolate of its own for each request.
    const memory = [1, 1].map((loads) => ({ value, loads, transport: "memory" }));
    // The second process finds what the first one has stored.
    for (const loads of [1, 0]) {
      await using server = await serve(app);
      const node = { value, loads, transport: "valkey-glide" };
      expect([await server.get("/node"), await server.get("/node")]).toEqual([node, node]);
      expect([await server.get("/memory"), await server.get("/memory")]).toEqual(memory);
      const rest = { value, loads: 0, transport: "rest" };
      // What the other runtime has stored.
      expect([await server.get("/rest"), await server.get("/rest")]).toEqual([rest, rest]);
    }
    expect(await storedKeys(app)).toHaveLength(1);
  });
});

async function serve({ folder }: App): Promise<AsyncDisposable & { get(path: string): Promise<unknown> }> {
  const port = await freePort();
  const settings = Object.entries(environment(folder)).map(([name, value = ""]) => `${name}=${value}`);
  const running = await launch("env", ["-i", ...settings, "node", next, "start", "--port", String(port)], folder);
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://localhost:${port}${path}`);
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${running.log()}`);
    return response.json();
  };
  const answers = () =>
    fetch(`http://localhost:${port}/`).then(
      () => true,
      () => running.ended,
    );
  await until(answers, { what: "next start", timeoutMs: 60_000 });
  if (running.ended) throw new Error(`next start ended: ${running.log()}`);
  return { get, [Symbol.asyncDispose]: () => running.stop() };
}
