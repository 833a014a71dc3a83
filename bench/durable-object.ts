import { once } from "node:events";
import { createServer } from "node:net";
import { build } from "esbuild";
import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { median } from "./harness/statistics.ts";
import { toMarkdown } from "./harness/table.ts";
import { durableObjectTable } from "./tables.ts";

/** How long a Worker takes for many requests, each of which reads one entry. */
export interface DurableObjectCase {
  readonly name: string;
  readonly transport: string;
  /** For all requests, in milliseconds: the median of all rounds. */
  readonly totalMs: number;
  /** Connections that the server accepted for them. */
  readonly connections: number;
}

const REQUESTS = 1_000;
const CALLERS = 50;
const COMPATIBILITY_DATE = "2026-08-04";
const certificates = new URL("../test/fixtures/tls/", import.meta.url).pathname;

/** Answers with an entry, or at once. */
const WORKER = `
  import { createCache, iovalkey } from "valkey-edge-cache";
  import { workerHandler } from "valkey-edge-cache/hosts";
  import { throughObject } from "./valkey-object.ts";

  export { ValkeyObject } from "./valkey-object.ts";

  const read = (factory) =>
    workerHandler(
      (env) => createCache({ location: env.VALKEY_URL, keyFunction: (key) => key, connectionFactory: factory(env) }),
      async (request, env, ctx, cache) => new Response((await cache.get("key")).text),
    );
  const handlers = {
    "/none": () => new Response("x".repeat(1000)),
    "/request": read(() => iovalkey()),
    "/object": read((env) => throughObject(env.VALKEY)),
  };

  export default { fetch: (request, env, ctx) => handlers[new URL(request.url).pathname](request, env, ctx) };
`;

const contenders = [
  { name: "no cache", path: "/none" },
  { name: "a connection for each request", path: "/request" },
  { name: "one connection in a Durable Object", path: "/object" },
];

const options = benchOptions();
const rounds = options.quick ? 1 : 9;
await using server = await startServer();
await server.command("SET", "key", JSON.stringify({ text: "x".repeat(1_000) }));
const tlsPort = await serveTls();
const script = await bundle();
const result = {
  environment: await environment(server.version, ["miniflare", "iovalkey"]),
  cases: [...(await measure("TCP", server.url)), ...(await measure("TLS", `valkeys://localhost:${tlsPort}`))],
};
console.log(`\n${toMarkdown(durableObjectTable(result))}`);
if (isComplete(options)) await writeResult("durable-object", result);

async function measure(transport: string, url: string): Promise<DurableObjectCase[]> {
  await using worker = await start(url);
  const measured = contenders.map(({ name, path }) => ({ name, path, times: [0].slice(1), connections: 0 }));
  // The first round loads all code; then each second round goes the other way.
  for (let round = -1; round < rounds; round++) {
    for (const one of round % 2 ? measured : measured.toReversed()) {
      const before = await accepted();
      const startMs = performance.now();
      await requestAll(() => worker.request(one.path));
      const ms = performance.now() - startMs;
      one.connections = (await accepted()) - before;
      if (round >= 0) one.times.push(ms);
    }
  }
  return measured.map(({ name, times, connections }) => ({ name, transport, totalMs: median(times), connections }));
}

async function requestAll(request: () => Promise<void>): Promise<void> {
  let left = REQUESTS;
  const caller = async () => {
    while (left-- > 0) await request();
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

/** Connections that the server has accepted so far. */
async function accepted(): Promise<number> {
  return Number(/total_connections_received:(\d+)/.exec(String(await server.command("INFO", "stats")))?.[1]);
}

async function start(url: string): Promise<AsyncDisposable & { request(path: string): Promise<void> }> {
  // workerd takes the authorities that it trusts when it starts.
  Object.assign(process.env, { CLOUDFLARE_CF_FETCH_ENABLED: "false", NODE_EXTRA_CA_CERTS: `${certificates}ca.pem` });
  const { convertV4MiniflareOptions, Miniflare } = await import("miniflare");
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      compatibilityDate: COMPATIBILITY_DATE,
      modules: [{ type: "ESModule", path: "worker.js", contents: script }],
      bindings: { VALKEY_URL: url },
      durableObjects: { VALKEY: "ValkeyObject" },
    }),
  );
  await miniflare.ready;
  return {
    async request(path) {
      const response = await miniflare.dispatchFetch(`http://worker.test${path}`);
      const text = await response.text();
      if (text.length !== 1_000) throw new Error(`${path} answered ${response.status}: ${text.slice(0, 200)}`);
    },
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: WORKER, resolveDir: new URL("../examples/durable-object", import.meta.url).pathname },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    // The TypeScript settings map the package's name to its sources; dist/ is what users bundle.
    tsconfigRaw: {},
    external: [
      "cloudflare:*",
      "node:*",
      "net",
      "tls",
      "stream",
      "events",
      "assert",
      "util",
      "string_decoder",
      "buffer",
      "url",
    ],
  });
  return outputFiles[0]?.text ?? "";
}

async function serveTls(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  const port = typeof address === "object" && address ? address.port : 0;
  const files = { "tls-cert-file": "server.pem", "tls-key-file": "server.key", "tls-ca-cert-file": "ca.pem" };
  const settings = Object.entries(files).flatMap(([name, file]) => [name, certificates + file]);
  await server.command("CONFIG", "SET", ...settings, "tls-auth-clients", "no", "tls-port", String(port));
  return port;
}
