import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Cache } from "../cache/cache.js";
import type { CacheOptions, LocatedCacheOptions } from "../cache/options.js";
import { cacheChecks } from "../cache/options.js";
import { warnOnce } from "../connection/copies.js";
import { identityOf, registered } from "../connection/registry.js";
import { ConfigurationError } from "../core/errors.js";
import { type Checks, checkOptions, isText, isWait } from "../core/options.js";
import { type Duration, toMs } from "../core/time.js";
import { isCache } from "../http/adapter.js";
import { createCache } from "../index.js";
import { nearCache } from "../near/node.js";
import { Builds } from "./builds.js";
import { Entries } from "./entries.js";
import { Purges } from "./purges.js";

/** Options of the handlers for Next, besides those of the cache. Durations are seconds, or strings such as `"5m"`. */
export interface NextOptions {
  /** Distinguishes the entries of one build from those of all others. @default the text of the file `BUILD_ID` in `distDir` */
  buildId?: string | undefined;
  /** The folder of the build, as `distDir` in Next's configuration. @default ".next" */
  distDir?: string | undefined;
  /** How long a page or function may take: then others generate it as well. Requests wait for another process as long at most. @default "5s" */
  generationTimeout?: Duration | undefined;
  /** The longest lifetime of an entry, where Next's own is longer. @default "30d" */
  maxTtl?: Duration | undefined;
  /** How long the entries of a build stay after its last request. @default "1h" */
  keepBuilds?: Duration | undefined;
}

/** Where entries are kept: a cache, which the handlers don't close, or the options of one. */
export type NextHandlerOptions = NextOptions & ({ cache: Cache } | CacheOptions | LocatedCacheOptions);

const nextDefaults = {
  distDir: ".next",
  generationTimeout: "5s",
  maxTtl: "30d",
  keepBuilds: "1h",
} as const satisfies NextOptions;

const nextChecks: Checks<NextOptions> = /* @__PURE__ */ (() => ({
  buildId: isText,
  distDir: isText,
  generationTimeout: isWait,
  maxTtl: isWait,
  keepBuilds: isWait,
}))();

/** What the handlers of one cache and build share in a process. */
export interface Store {
  readonly entries: Entries;
  readonly purges: Purges;
  readonly builds: Builds;
  readonly maxTtlMs: number;
}

/** The store; `undefined` where nothing is to be stored. @param distDir what Next says of the folder of the build */
export type OpenStore = (distDir?: string) => Store | undefined;

/**
 * Checks options. The store is made when it is first used.
 * @param where the function that takes them, for messages
 * @throws {ConfigurationError}
 */
export function toStore(where: string, options: NextHandlerOptions): OpenStore {
  if ("cache" in options) checkOptions<NextOptions & { cache: Cache }>(where, options, { ...nextChecks, cache: isCache });
  else {
    checkOptions<NextOptions & CacheOptions>(where, options, { ...cacheChecks, ...nextChecks });
    if (options.location === undefined && options.connectionFactory?.location === undefined) {
      throw new ConfigurationError(`${where}: option "location" is missing; give "valkey://localhost:6379", or a cache`);
    }
  }
  let store: Store | undefined;
  return (distDir) => {
    if (isBuilding()) return undefined;
    store ??= open(options, distDir);
    return store;
  };
}

/** The store that the environment names. Without one there is a warning, and nothing is stored. */
export function storeOfEnvironment(where: string): OpenStore {
  let openStore: OpenStore | undefined;
  return (distDir) => {
    if (isBuilding()) return undefined;
    try {
      openStore ??= toStore(where, environmentOptions());
      return openStore(distDir);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      warnOnce(`${where}: ${error.message}. Nothing is cached meanwhile`);
      return undefined;
    }
  };
}

function environmentOptions(): NextHandlerOptions {
  const { VALKEY_URL: location, VALKEY_KEY_PREFIX: keyPrefix, VALKEY_NEAR_CACHE: near } = process.env;
  if (!location)
    throw new ConfigurationError('VALKEY_URL is not set; set it to a location such as "valkey://localhost:6379"');
  const keep = near === "0" || near === "false" ? undefined : nearCache();
  return { location, keyPrefix: keyPrefix ?? "", nearCache: keep };
}

/** `next build` generates pages for its own output: each instance would overwrite entries of the builds that run. */
function isBuilding(): boolean {
  return process.env.NEXT_PHASE === "phase-production-build";
}

function open(options: NextHandlerOptions, distDir: string | undefined): Store {
  const { buildId = readBuildId(options.distDir ?? distDir ?? nextDefaults.distDir) } = options;
  const key = "cache" in options ? identityOf(options.cache) : JSON.stringify(options, withoutCode);
  return registered(`next ${buildId} ${key}`, () => {
    const cache = "cache" in options ? options.cache : createCache(cacheOptions(options));
    const purges = new Purges(cache);
    return {
      purges,
      entries: new Entries(
        cache,
        purges,
        toMs(options.generationTimeout ?? nextDefaults.generationTimeout, "generationTimeout"),
      ),
      builds: new Builds(cache, buildId, toMs(options.keepBuilds ?? nextDefaults.keepBuilds, "keepBuilds")),
      maxTtlMs: toMs(options.maxTtl ?? nextDefaults.maxTtl, "maxTtl"),
    };
  });
}

/** Each bundle that names the same options has functions of its own. */
function withoutCode(_name: string, value: unknown): unknown {
  return typeof value === "function" ? "code" : value;
}

function cacheOptions(options: CacheOptions | LocatedCacheOptions): CacheOptions | LocatedCacheOptions {
  const own = Object.entries(options).filter(([name]) => Object.hasOwn(cacheChecks, name));
  return Object.fromEntries(own) as unknown as CacheOptions;
}

function readBuildId(distDir: string): string {
  try {
    return readFileSync(join(distDir, "BUILD_ID"), "utf8").trim();
  } catch {
    // `next dev` writes none.
    return "development";
  }
}

/** The folder of the build, by that of its server. */
export function distDirOf(serverDistDir: string | undefined): string | undefined {
  return serverDistDir === undefined ? undefined : dirname(serverDistDir);
}
