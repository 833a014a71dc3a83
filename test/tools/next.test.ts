import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { launch } from "../support/launch.js";
import { freePort } from "../support/ports.js";
import { until } from "../support/wait.js";
import { type App, createApp, environment, storedKeys, tools } from "./app.js";

const route = (runtime: string, location: string) => `
  import { createCache, herd } from "valkey-edge-cache";

  export const runtime = "${runtime}";
  export const dynamic = "force-dynamic";

  const cache = createCache({ location: ${location}, client: herd(), keyPrefix: process.env.KEY_PREFIX, ttl: "1m" });
  let loads = 0;

  export async function GET() {
    const value = await cache.getOrSet("city", () => {
      loads++;
      return { name: "Bern" };
    });
    const { transport } = await cache.health();
    return Response.json({ value, loads, transport });
  }
`;

const APPLICATION = {
  "app/layout.js": "export default ({ children }) => <html><body>{children}</body></html>;",
  // The build, which evaluates routes, needs no server.
  "app/node/route.js": route("nodejs", 'process.env.VALKEY_URL ?? "memory:"'),
  "app/edge/route.js": route("edge", '"memory:"'),
};

const next = join(tools, "node_modules", "next", "dist", "bin", "next");

describe("an application that next build has bundled", () => {
  it.each([["turbopack"], ["webpack"]])("with %s caches in route handlers of both runtimes", async (bundler) => {
    using app = createApp(APPLICATION);
    await app.run("node", next, "build", `--${bundler}`);
    const value = { name: "Bern" };
    const edge = [1, 1].map((loads) => ({ value, loads, transport: "memory" }));
    // The second process finds what the first one has stored.
    for (const loads of [1, 0]) {
      await using server = await serve(app);
      const node = { value, loads, transport: "valkey-glide" };
      expect([await server.get("/node"), await server.get("/node")]).toEqual([node, node]);
      expect([await server.get("/edge"), await server.get("/edge")]).toEqual(edge);
    }
    expect(await storedKeys(app)).toHaveLength(1);
  });
});

async function serve({ folder }: App): Promise<AsyncDisposable & { get(path: string): Promise<unknown> }> {
  const port = await freePort();
  const settings = Object.entries(environment(folder)).map(([name, value = ""]) => `${name}=${value}`);
  const running = await launch("env", ["-i", ...settings, "node", next, "start", "--port", String(port)], folder);
  const get = async (path: string): Promise<unknown> => (await fetch(`http://localhost:${port}${path}`)).json();
  const answers = () =>
    fetch(`http://localhost:${port}/`).then(
      () => true,
      () => running.ended,
    );
  await until(answers, { what: "next start", timeoutMs: 60_000 });
  if (running.ended) throw new Error(`next start ended: ${running.log()}`);
  return { get, [Symbol.asyncDispose]: () => running.stop() };
}
