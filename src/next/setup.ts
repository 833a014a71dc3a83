import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CacheOptions, cacheChecks } from "../cache/options.js";
import { warnOnce } from "../connection/copies.js";
import { identityOf, registered } from "../connection/registry.js";
import { ConfigurationError } from "../core/errors.js";
import { checkOptions, isText, isWait } from "../core/options.js";
import { type Duration, toMs } from "../core/time.js";
import { type CacheOrOptions, ownCache } from "../hosts/own-cache.js";
import { nearCache } from "../near/node.js";
import { Builds } from "./builds.js";
import { Entries } from "./entries.js";
import { Outage } from "./outage.js";
import { Purges } from "./purges.js";

/** Options of the handlers for Next, besides those of the cache. Durations are seconds, or strings such as `"5m"`. */
export interface NextOptions {
  /** Distinguishes the entries of one build from those of all others. @default the text of the file `BUILD_ID` in `distDir` */
  buildId?: string | undefined;
  /** The folder of the build, as `distDir` in Next's configuration. @default ".next", or where Next says it is */
  distDir?: string | undefined;
  /** How long one process alone generates an entry; others wait for it at most as long. @default "5s" */
  generationTimeout?: Duration | undefined;
  /** The longest lifetime of an entry, where Next's own is longer. @default "30d" */
  maxTtl?: Duration | undefined;
  /** How long the entries of a build stay after its last request. @default "1h" */
  keepBuilds?: Duration | undefined;
}

/** Options of the handlers: their own, and a cache or the options of one. */
export type NextHandlerOptions = NextOptions & CacheOrOptions;

const checks = {
  // Checked with the options beside it.
  cache: null,
  buildId: isText,
  distDir: isText,
  generationTimeout: isWait,
  maxTtl: isWait,
  keepBuilds: isWait,
};

/** What the handlers of one cache and build share in a process. */
export interface Store {
  readonly entries: Entries;
  readonly purges: Purges;
  readonly builds: Builds;
  readonly maxTtlMs: number;
}

/** The store; `undefined` where nothing is to be stored. @param serverDistDir what Next says of the folder of its server */
export type OpenStore = (serverDistDir?: string) => Store | undefined;

/**
 * The store by options: the same for all handlers of this process that have equal ones. Opens no connection.
 * @param where the function that takes them, for messages
 * @throws {ConfigurationError}
 */
export function toStore(where: string, options: NextHandlerOptions): OpenStore {
  const given: object = options;
  checkOptions<NextOptions & CacheOptions & { cache?: unknown }>(where, given, { ...cacheChecks, ...checks });
  const { buildId, distDir, generationTimeout = "5s", maxTtl = "30d", keepBuilds = "1h", ...cacheOptions } = options;
  const { cache } = ownCache(where, cacheOptions);
  const make = (build: string): Store => {
    const outage = new Outage(cache.connection);
    const purges = new Purges(cache, outage);
    const entries = new Entries(cache, purges, outage, toMs(generationTimeout, "generationTimeout"));
    const builds = new Builds(cache, build, toMs(keepBuilds, "keepBuilds"));
    return { entries, purges, builds, maxTtlMs: toMs(maxTtl, "maxTtl") };
  };
  const name = options.cache ? `cache ${identityOf(options.cache)}` : JSON.stringify(options, withoutCode);
  let store: Store | undefined;
  return (serverDistDir) => {
    if (isBuilding()) return undefined;
    if (store) return store;
    const build = buildId ?? readBuildId(distDir, serverDistDir);
    store = registered(`next ${build} ${name}`, () => make(build));
    return store;
  };
}

/** The store that the environment names. Without one there is a warning, and nothing is stored. */
export function storeOfEnvironment(where: string): OpenStore {
  let openStore: OpenStore | undefined;
  return (serverDistDir) => {
    if (isBuilding()) return undefined;
    try {
      openStore ??= toStore(where, environmentOptions());
      return openStore(serverDistDir);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      warnOnce(`${where}: ${error.message}. Until then nothing is cached`);
      return undefined;
    }
  };
}

function environmentOptions(): NextHandlerOptions {
  const { VALKEY_URL: location, VALKEY_KEY_PREFIX: keyPrefix = "", VALKEY_NEAR_CACHE: near } = process.env;
  if (!location) {
    throw new ConfigurationError('VALKEY_URL is not set; give a location such as "valkey://localhost:6379"');
  }
  return { location, keyPrefix, nearCache: near === "0" ? undefined : nearCache() };
}

/** `next build` takes what it generates into its own output. Running instances may be of another build. */
function isBuilding(): boolean {
  return process.env.NEXT_PHASE === "phase-production-build";
}

/** Each file that has equal options has functions of its own. */
function withoutCode(_name: string, value: unknown): unknown {
  return typeof value === "function" ? "code" : value;
}

/** Where the build is, as Next says to the handlers of pages: it makes the first of them before it reads anything. */
interface Build {
  folder?: string;
}

function readBuildId(distDir: string | undefined, serverDistDir: string | undefined): string {
  const build = registered<Build>("next build", () => ({}));
  if (serverDistDir !== undefined) build.folder ??= dirname(serverDistDir);
  try {
    return readFileSync(join(distDir ?? build.folder ?? ".next", "BUILD_ID"), "utf8").trim();
  } catch {
    // `next dev` writes none.
    return "development";
  }
}
