// @ts-check
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, Stop } from "../run.mjs";

/**
 * A page of the reference. Pages of the main entry point say whose exports they have, by files and folders of `src/`.
 * @typedef {{ name: string, title: string, about: string, sources?: readonly string[] }} Page
 */

/** The main entry point has too many exports for one page. @type {readonly Page[]} */
export const CONCEPTS = [
  {
    name: "cache",
    title: "The cache and its methods",
    about: "`createCache()`, `createCaches()`, and every method of a cache, of its sets, hashes and locks.",
    sources: [
      "index.ts",
      "cache/cache.ts",
      "cache/caches.ts",
      "cache/sets.ts",
      "cache/hashes.ts",
      "cache/health.ts",
      "cache/many-entries.ts",
      "client/lock.ts",
    ],
  },
  {
    name: "options",
    title: "Options",
    about: "Options of caches and of their methods, with units and defaults.",
    sources: [
      "cache/options.ts",
      "cache/method-options.ts",
      "connection/options.ts",
      "core/time.ts",
      "connection/address-map.ts",
    ],
  },
  {
    name: "connections",
    title: "Connections",
    about:
      "`glide()`, `glideCluster()`, `iovalkey()`, `sentinel()`, `memory()`, `elasticacheIam()`, and the port of a transport.",
    sources: ["connection/", "api/memory.ts", "core/connection.ts", "core/location.ts", "core/async.ts"],
  },
  {
    name: "clients",
    title: "Loads and clients",
    about: "`herd()` and `defaultClient()`: who loads a missing entry, what else waits, and the port of a client.",
    sources: ["client/"],
  },
  {
    name: "near-cache",
    title: "Near cache",
    about: "`nearCache()`, its options, and the ports behind it.",
    sources: ["near/", "core/near.ts", "tags/entry-tags.ts"],
  },
  {
    name: "definitions",
    title: "Definitions",
    about: "`define()` and `wrap()`: functions whose results are cached, with schemas.",
    sources: ["definitions/"],
  },
  {
    name: "values",
    title: "Values and keys",
    about: "`json()`, `identity()`, the ports of serializers, compressors and codecs, and functions of keys.",
    sources: [
      "serializers/",
      "compressors/",
      "codec/",
      "core/value-format.ts",
      "cache/value-codec.ts",
      "core/key.ts",
      "core/glob.ts",
    ],
  },
  {
    name: "errors",
    title: "Error classes",
    about: "The classes of errors that calls throw.",
    sources: ["core/errors.ts"],
  },
  {
    name: "events",
    title: "Events and statistics",
    about: "Events of a cache, `statistics()` and `mergeStatistics()`.",
    sources: ["core/events.ts", "core/event-types.ts", "observability/"],
  },
];

/** What each subpath is for. Those of one file share a page. @type {Readonly<Record<string, string>>} */
export const SUBPATHS = {
  "./http": "The HTTP cache behind every framework, for adapters of your own.",
  "./hosts": "Handlers for Workers, Lambda, Vercel and other serverless hosts.",
  "./hono": "`httpCache()` and `valkeyCache()`, middleware for Hono.",
  "./fastify": "`httpCacheFastify`, a plugin for Fastify.",
  "./node": "`httpCacheNode()`, middleware for Express, Connect and `node:http`.",
  "./fetch": "`cachedHandler()` for web handlers, and `cachedFetch()` for outgoing calls.",
  "./next": "Handlers of Next's caches, with options.",
  "./next/use-cache": 'A handler for `"use cache"` that is configured by the environment.',
  "./next/incremental":
    "A handler for pages, fetched responses and images of Next that is configured by the environment.",
  "./unstorage": "A driver for unstorage, Nitro and Nuxt.",
  "./keyv": "A store for Keyv, cache-manager and NestJS.",
  "./rest": "The transport over `fetch`, for hosts without TCP.",
  "./otel": "Metrics and spans of OpenTelemetry.",
  "./inspector": "The inspector: a page with the entries, counters and tools of a cache.",
  "./msgpack": "The serializer `msgpack()`.",
  "./structured-clone": "The serializer `structuredClone()`.",
  "./zlib": "The compressors `zlib()`, `gzip()` and `deflate()`.",
  "./gzip": "The same exports as `./zlib`.",
  "./deflate": "The same exports as `./zlib`.",
  "./brotli": "The compressor `brotli()`.",
  "./zstd": "The compressor `zstd()`.",
  "./lz4": "The compressor `lz4()`.",
  "./lzma": "The compressor `lzma()`.",
  "./bz2": "The compressor `bz2()`.",
};

/** Pages that are written by hand, and belong to a reference. */
export const OTHERS = [
  ["options.md", "All options", "every option in tables, by function and method"],
  ["errors.md", "Errors", "every error with its cause, its remedy and a message as it is printed"],
  ["observability.md", "Events and metrics", "every event, counter, metric and span"],
  ["cli.md", "Command line", "every command and its options"],
  ["stored-bytes.md", "Stored bytes", "keys and values as the server has them, byte by byte"],
];

/**
 * The subpaths of the package, with the file in `src/` that each one exports; the main one first.
 * @returns {{ subpath: string, source: string }[]}
 */
export function subpaths() {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.entries(exports)
    .filter(([, target]) => typeof target === "object")
    .map(([subpath, { types }]) => ({ subpath, source: types.replace(/^\.\/dist\/(.*)\.d\.ts$/, "$1.ts") }));
}

/** Pages of subpaths, with the files that they export. */
export function subpathPages() {
  const { name: packageName } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const order = Object.keys(SUBPATHS);
  const own = subpaths().filter(({ subpath }) => subpath !== ".");
  const absent = own.filter(({ subpath }) => !order.includes(subpath)).map(({ subpath }) => subpath);
  if (absent.length > 0)
    throw new Stop(`reference: ${absent.join(", ")}: add a sentence to SUBPATHS in scripts/reference/contents.mjs`);
  own.sort((a, b) => order.indexOf(a.subpath) - order.indexOf(b.subpath));
  return [...Map.groupBy(own, ({ source }) => source)].map(([source, of]) => {
    const paths = of.map(({ subpath }) => subpath);
    return {
      source,
      subpaths: paths,
      name: (paths[0] ?? "").slice(2).replaceAll("/", "-"),
      about: SUBPATHS[paths[0] ?? ""] ?? "",
      title: paths.map((path) => `${packageName}${path.slice(1)}`).join(", "),
    };
  });
}
