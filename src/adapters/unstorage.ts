import type { Driver, TransactionOptions, WatchCallback, WatchEvent } from "unstorage";
import type { Cache } from "../cache/cache.js";
import { type CacheOptions, cacheChecks } from "../cache/options.js";
import { notify } from "../core/async.js";
import type { ConnectionFactory } from "../core/connection.js";
import { ConfigurationError } from "../core/errors.js";
import { escapeGlob } from "../core/glob.js";
import { type Checks, checkOptions, isString } from "../core/options.js";
import { type Duration, systemClock } from "../core/time.js";
import { nearCache, type OwnCache, ownCache } from "../hosts/own-cache.js";
import type { NearCacheOptions } from "../near/options.js";
import type { NearCacheFactory } from "../near/port.js";
import { asText, asValue, bytesOf, plain, textOf, toItem, toRaw } from "./storage-values.js";

/** Options of `valkeyDriver`: a cache, or those of `createCache`. Configuration files can have the ones that are data. */
export interface ValkeyDriverOptions extends Omit<CacheOptions, "location" | "nearCache" | "ttl"> {
  /** A cache that the application uses as well; the driver doesn't close it. @default one of the driver's own */
  cache?: Cache | undefined;
  /** Where the driver's own cache is kept, as for `createCache`. @default `VALKEY_URL` of the environment */
  location?: CacheOptions["location"] | undefined;
  /** Keeps entries in the process: `true`, the options of `nearCache()`, or what it returns. @default none */
  nearCache?: NearCacheFactory | NearCacheOptions | boolean | undefined;
  /** A prefix of all keys, followed by a colon. @default "" */
  base?: string | undefined;
  /** Lifetime of items that are set without a `ttl`: seconds, or a duration such as `"5m"`; `null` and 0 never expire. @default null, or the `ttl` of `cache` */
  ttl?: Duration | null | undefined;
  /** How a configuration file names the driver; ignored. */
  driver?: string | undefined;
}

const WHERE = "valkeyDriver";
/** A near cache listens about 60 ms after the first reply. */
const LISTENING_MS = 1_000;

const checks: Checks<ValkeyDriverOptions> = {
  ...cacheChecks,
  // Checked with the options beside it.
  cache: null,
  nearCache: (value) =>
    ["function", "object", "boolean"].includes(typeof value) && value !== null ? undefined : "true, or nearCache()",
  base: isString,
  driver: null,
};

/**
 * A driver of unstorage, and so of Nitro and Nuxt, whose items are entries of a cache. Creating it does no I/O, and each call
 * ends within its deadline.
 *
 * In the driver's own cache, items are stored as the text that they are. In a cache that is given, text that is JSON is stored
 * as the value that it says, which `cache.get` returns.
 * @throws {ConfigurationError} on wrong options
 * @example
 * const storage = createStorage({ driver: valkeyDriver({ location: "valkey://localhost:6379" }) });
 */
export function valkeyDriver(options: ValkeyDriverOptions = {}): Driver<ValkeyDriverOptions, Cache> {
  checkOptions<ValkeyDriverOptions>(WHERE, options, checks);
  const { cache, close } = source(options);
  const writing = options.cache || options.serializer ? asValue : asText;
  const base = withoutColon(options.base);
  const head = base === "" ? "" : `${base}:`;
  const watchers = new Set<Watcher>();

  const set = async (key: string, value: unknown, ...from: (TransactionOptions | undefined)[]): Promise<void> => {
    const ttl: Duration | null | undefined = from.find((one) => one?.ttl != null)?.ttl ?? options.ttl;
    // As other drivers have it, 0 is no lifetime. The driver's own cache has null by default.
    await cache().set(head + key, value, ttl === undefined ? {} : { ttl: ttl === 0 ? null : ttl });
    for (const watcher of watchers) watcher.written("update", key);
  };
  const within = (inner: string | undefined): string => {
    const name = withoutColon(inner);
    return `${escapeGlob(name === "" ? head : `${head}${name}:`)}*`;
  };

  return {
    name: "valkey-edge-cache",
    flags: { maxDepth: true, ttl: true },
    options,
    getInstance: cache,
    hasItem: async (key) => cache().has(head + key),
    getItem: async (key) => toItem(await cache().get(head + key)),
    getItemRaw: async (key) => toRaw(await cache().get(head + key)),
    async getItems(items) {
      const found = await cache().getMany(items.map(({ key }) => head + key));
      return items.map(({ key }) => ({ key, value: toItem(found.get(head + key)) }));
    },
    setItem: (key, value, one) => set(key, writing(value), one),
    setItemRaw: async (key, value, one) => set(key, writing(textOf(await bytesOf(value, key))), one),
    // Commands of one turn share a round trip.
    async setItems(items, all) {
      await Promise.all(items.map(({ key, value, options: one }) => set(key, writing(value), one, all)));
    },
    async removeItem(key) {
      await cache().delete(head + key);
      for (const watcher of watchers) watcher.written("remove", key);
    },
    async getMeta(key) {
      const [value, ttl] = await Promise.all([cache().get(head + key), cache().ttl(head + key)]);
      const size = toRaw(value)?.length;
      return size === undefined ? null : { size, ...(typeof ttl === "number" && { ttl }) };
    },
    async getKeys(inner, { maxDepth = Number.POSITIVE_INFINITY } = {}) {
      const keys = (await cache().keys(within(inner))).map((key) => key.slice(head.length));
      return keys.filter((key) => key.split(":").length - 1 <= maxDepth);
    },
    async clear(inner) {
      await cache().deletePattern(within(inner));
    },
    async watch(callback) {
      const watcher = watch(cache(), head, callback);
      watchers.add(watcher);
      await listens(cache());
      return () => {
        watchers.delete(watcher);
        watcher.end();
      };
    },
    async dispose() {
      for (const watcher of watchers) watcher.end();
      watchers.clear();
      await close();
    },
  };
}

// biome-ignore lint/style/noDefaultExport: unstorage and Nitro take a driver's default export
export { valkeyDriver as default };

/** A driver's cache, which may be made by its first call. */
interface Source {
  readonly cache: () => Cache;
  readonly close: () => Promise<void> | undefined;
}

function source(options: ValkeyDriverOptions): Source {
  let made: OwnCache | undefined;
  const own = (): OwnCache => {
    made ??= makeCache(options);
    return made;
  };
  const isKnown = options.cache ?? options.location ?? options.connectionFactory?.location ?? environment();
  // A build evaluates configurations, too, and need not know the server.
  if (isKnown !== undefined) own();
  return { cache: () => own().cache, close: () => made?.close() };
}

function makeCache({ base: _, driver: __, ttl, ...options }: ValkeyDriverOptions): OwnCache {
  const { cache, connectionFactory, nearCache: near } = options;
  if (cache) return ownCache(WHERE, { ...options, cache });
  const own = {
    ...options,
    cache,
    serializer: options.serializer ?? plain(),
    // Drivers take 0 for no lifetime, and caches for the end of an entry.
    ttl: ttl || null,
    nearCache: typeof near === "function" ? near : near ? nearCache(near === true ? {} : near) : undefined,
  };
  const location = options.location ?? (connectionFactory?.location === undefined ? environment() : undefined);
  if (location !== undefined) return ownCache(WHERE, { ...own, location });
  if (isLocated(connectionFactory)) return ownCache(WHERE, { ...own, location, connectionFactory });
  throw new ConfigurationError(
    `${WHERE}: there is no server; give the option "location" or "cache", or set VALKEY_URL in the environment`,
  );
}

function isLocated(
  factory: ConnectionFactory | undefined,
): factory is ConnectionFactory & { readonly location: string } {
  return factory?.location !== undefined;
}

function environment(): string | undefined {
  return globalThis.process?.env?.VALKEY_URL;
}

interface Watcher {
  /** The driver has written a key. */
  written(event: WatchEvent, key: string): void;
  end(): void;
}

/**
 * Calls back on changes. While a near cache listens, it hears of those of all processes, the driver's own included, and the
 * store is asked whether the item is still there. Without one, changes are those that this driver makes.
 */
function watch(cache: Cache, head: string, callback: WatchCallback): Watcher {
  const { near } = cache.parts.settings;
  const start = String(cache.makeKey(`${head}a`)).slice(0, -1);
  const emit = (event: WatchEvent, key: string): void =>
    notify(callback, (error) => cache.report(error, "watch", key), event, key);
  const heard = (stored: string): void => {
    if (!stored.startsWith(start) || stored === start) return;
    const key = stored.slice(start.length);
    cache.has(head + key).then(
      (isThere) => emit(isThere ? "update" : "remove", key),
      // It has changed in any case.
      () => emit("update", key),
    );
  };
  const end = near?.onKey(heard) ?? (() => {});
  return {
    written: (event, key) => {
      if (!near?.health().listening) emit(event, key);
    },
    end,
  };
}

/** Opens the connection, without which the near cache doesn't listen, and waits until it does, but not for long. */
async function listens(cache: Cache): Promise<void> {
  const { near } = cache.parts.settings;
  await cache.health();
  const untilMs = performance.now() + LISTENING_MS;
  const isLate = (): boolean => performance.now() > untilMs;
  while (near && near.health().invalidation !== "ttl" && !near.health().listening && !isLate()) {
    await systemClock.sleep(10);
  }
}

function withoutColon(base = ""): string {
  return base.replace(/:$/, "");
}
