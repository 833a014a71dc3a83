import { readFileSync } from "node:fs";
import { createAdaptorServer, type ServerType } from "@hono/node-server";
import { type Cache, type ConnectionFactory, createCache, glide, herd, iovalkey, nearCache } from "valkey-edge-cache";
import { createApp, INSPECTOR_PATH } from "./app.ts";
import { buildCities, CITIES_FILE } from "./build-cities.ts";
import { createCities } from "./cities/cities.ts";
import { isFromThisMachine, listen, readPort } from "./listen.ts";
import { StoreSwitch } from "./store-switch.ts";

/** How long running requests may take after the signal to end. */
const GRACE_MS = 1_000;
/** Caches beside the service's own, as four more processes would have them: for "500 callers at once". */
const MORE_INSTANCES = 4;

const location = process.env.VALKEY_URL || "memory:";
const inspectorToken = process.env.INSPECTOR_TOKEN;

/** What goes on after answers: the cache is closed when that has ended. */
const running = new Set<Promise<void>>();

start().catch((error) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});

async function start(): Promise<void> {
  const port = readPort(process.env.PORT);
  buildCities();
  const storeSwitch = new StoreSwitch();
  const connectionFactory = storeSwitch.wrap(connectionsTo(location));
  const options = { location, connectionFactory, keyPrefix: "cities", client: herd() };
  const cache = createCache({ ...options, nearCache: nearCache() });
  const fleet = Array.from({ length: MORE_INSTANCES }, () => createCache(options));
  const app = createApp({
    cache,
    cities: createCities(() => readFileSync(CITIES_FILE)),
    page: readFileSync(new URL("page.html", import.meta.url), "utf8"),
    purgeToken: process.env.PURGE_TOKEN,
    access: { token: inspectorToken, isLocal: isFromThisMachine },
    fleet,
    storeSwitch,
    waitUntil: (work) => {
      running.add(work);
      work.finally(() => running.delete(work));
    },
  });
  const server = createAdaptorServer({ fetch: app.fetch });
  closeOnSignals(server, [cache, ...fleet]);
  const listening = await listen(server, port);
  if (listening.taken) console.log(`Port ${listening.taken} is taken, so this listens on port ${listening.port}.`);
  await announce(`http://localhost:${listening.port}`, cache);
}

/** The connections that `createCache` chooses for a location. The switch stands before them. */
function connectionsTo(location: string): ConnectionFactory {
  const { connection } = createCache({ location });
  const { shares, listener } = location.startsWith("unix:") ? iovalkey() : glide();
  return { shares, connect: () => connection, ...(listener && { listener }) };
}

/** Lets running requests end, then exits; exits at once at a second signal. */
function closeOnSignals(server: ServerType, caches: readonly Cache[]): void {
  let closing = false;
  const close = (): void => {
    if (closing) process.exit(1);
    closing = true;
    server.close(async () => {
      await Promise.all(running);
      for (const cache of caches) await cache.close();
    });
    // Browsers open connections ahead of need, and a server waits for the request on each.
    if ("closeAllConnections" in server) setTimeout(() => server.closeAllConnections(), GRACE_MS).unref();
  };
  process.on("SIGINT", close).on("SIGTERM", close);
}

async function announce(url: string, cache: Cache): Promise<void> {
  const login = inspectorToken ? "; any user name, and INSPECTOR_TOKEN as the password" : "";
  console.log(`Listening on ${url} (cache: ${await stateOf(cache)}). Ctrl-C stops it.`);
  console.log(`Inspector: ${url}${INSPECTOR_PATH} (what the cache does, live, and what is in it${login}).`);
  console.log("Try next: open both, ask for a place twice, then press “500 callers at once” and watch the inspector.");
}

/** Where the cache is, and whether it answers: the service also works without it. */
async function stateOf(cache: Cache): Promise<string> {
  if (location === "memory:") return "in memory; set VALKEY_URL to keep answers in Valkey";
  const { roundTripMs, lastError } = await cache.health();
  if (roundTripMs !== undefined) return `in Valkey, which answers within ${Math.ceil(roundTripMs)} ms`;
  return `in Valkey, which does not answer: ${lastError?.message ?? "no reply"}; requests are computed meanwhile`;
}
