/**
 * Counts the files and functions of `src/` that one warm call runs: V8's precise coverage of a call to a real server.
 *
 *     npm run hops              # one line for each kind of call
 *     npm run hops -- --list    # with the names of the files and functions
 */
import { Session } from "node:inspector/promises";
import { registerHooks } from "node:module";
import { startServer } from "./harness/server.ts";

const SOURCES = new URL("../src/", import.meta.url).href;

/** Calls before the counted one: connections are open, scripts are loaded, entries are stored. */
const WARM_UP_CALLS = 50;

/** Background work of the warm-up ends within this time and is not counted. */
const SETTLE_MS = 300;

interface Hop {
  readonly file: string;
  readonly functions: readonly string[];
}

// The sources import each other by the names of the compiled files.
registerHooks({
  resolve(specifier, context, next) {
    const isSource = specifier.startsWith(".") && context.parentURL?.startsWith(SOURCES);
    return next(isSource ? specifier.replace(/\.js$/, ".ts") : specifier, context);
  },
});

const { createCache, herd } = await import("../src/index.ts");
const { httpCache } = await import("../src/hono/index.ts");
const { Hono } = await import("hono");

await using server = await startServer();
await using herdCache = createCache({ location: server.url, client: herd() });
await using plainCache = createCache({ location: server.url });
const app = new Hono();
app.use(httpCache({ cache: herdCache }));
app.get("/", (c) => c.text("page", 200, { "cache-control": "max-age=600" }));

const load = () => ({ name: "Bern" });
const calls: Record<string, () => Promise<unknown>> = {
  "getOrSet hit, herd()": () => herdCache.getOrSet("herd", load, { ttl: "10m" }),
  "getOrSet hit, defaultClient()": () => plainCache.getOrSet("plain", load, { ttl: "10m" }),
  "get hit, defaultClient()": () => plainCache.get("plain"),
  "HTTP hit, httpCache()": async () => (await app.request("http://localhost/")).text(),
};

const session = new Session();
session.connect();
await session.post("Profiler.enable");
for (const [name, call] of Object.entries(calls)) {
  const hops = await hopsOf(call);
  const functions = hops.reduce((sum, hop) => sum + hop.functions.length, 0);
  console.log(`${name}: ${hops.length} files, ${functions} functions`);
  if (!process.argv.includes("--list")) continue;
  for (const hop of hops) console.log(`  ${hop.file}: ${hop.functions.join(" ")}`);
}
session.disconnect();

async function hopsOf(call: () => Promise<unknown>): Promise<Hop[]> {
  for (let i = 0; i < WARM_UP_CALLS; i++) await call();
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  // Taking the coverage resets the counters.
  await session.post("Profiler.takePreciseCoverage");
  await call();
  const { result } = await session.post("Profiler.takePreciseCoverage");
  await session.post("Profiler.stopPreciseCoverage");
  const hops = result
    .filter(({ url }) => url.startsWith(SOURCES))
    .map(({ url, functions }) => ({
      file: url.slice(SOURCES.length),
      functions: functions
        .filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0)
        .map(({ functionName }) => functionName || "(anonymous)"),
    }));
  return hops.filter(({ functions }) => functions.length > 0);
}
