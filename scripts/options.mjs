// @ts-check

/**
 * Writes docs/options.md, and the tables of options in other pages, from the doc comments of the options in `src/`.
 *
 *     npm run options
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @typedef {{ name: string, type: string, default: string, text: string }} Option */

/** @type {readonly { title: string, parts: readonly [file: string, name: string][] }[]} */
export const SECTIONS = [
  {
    title: "`createCache(options)`",
    parts: [
      ["cache/options.ts", "CacheOptions"],
      ["connection/options.ts", "ConnectionOptions"],
    ],
  },
  { title: "`elasticacheIam(options)`", parts: [["connection/elasticache-iam.ts", "ElastiCacheIamOptions"]] },
  { title: "`tls` of a connection", parts: [["connection/options.ts", "TlsOptions"]] },
  {
    title: "`glide(options)`, `glideCluster(options)`, besides those of connections, from `username` on",
    parts: [["connection/glide/factory.ts", "GlideOptions"]],
  },
  {
    title: "`iovalkey(options)`, besides those of connections; `servername` is one of its `tls`",
    parts: [
      ["connection/iovalkey/factory.ts", "IovalkeyOptions"],
      ["connection/iovalkey/factory.ts", "IovalkeyTlsOptions"],
    ],
  },
  {
    title: "`sentinel(options)`, besides those of connections",
    parts: [["connection/sentinel/factory.ts", "SentinelOptions"]],
  },
  { title: "`memory(options)`", parts: [["connection/memory/factory.ts", "MemoryOptions"]] },
  { title: "`nearCache(options)`", parts: [["near/options.ts", "NearCacheOptions"]] },
  { title: "`herd(options)`", parts: [["client/herd/options.ts", "HerdOptions"]] },
  { title: "`defaultClient(options)`", parts: [["client/default-client.ts", "DefaultClientOptions"]] },
  { title: "Every method with a key", parts: [["cache/method-options.ts", "KeyOptions"]] },
  { title: "`get`", parts: [["cache/method-options.ts", "GetOptions"]] },
  {
    title: "`set`; `ttl` also of `add`, `setMany` and `mset`, and `tags` of `add` and `setMany`",
    parts: [
      ["cache/method-options.ts", "TtlOptions"],
      ["cache/method-options.ts", "AddOptions"],
      ["cache/method-options.ts", "SetOptions"],
    ],
  },
  {
    title: "`getOrSet`, `getOrSetMany`",
    parts: [
      ["cache/method-options.ts", "TtlOptions"],
      ["cache/method-options.ts", "GetOrSetOptions"],
      ["cache/method-options.ts", "LoadingOptions"],
    ],
  },
  {
    title: "`incr`, `decr`",
    parts: [
      ["cache/method-options.ts", "TtlOptions"],
      ["cache/method-options.ts", "IncrOptions"],
    ],
  },
  {
    title: "`keys`, `iterKeys`, `deletePattern`, `clear`",
    parts: [
      ["cache/method-options.ts", "ScanOptions"],
      ["cache/method-options.ts", "DeletePatternOptions"],
    ],
  },
  { title: "`purgeTags`", parts: [["cache/method-options.ts", "PurgeTagsOptions"]] },
  { title: "`sets.scan`, `sets.iterate`", parts: [["cache/method-options.ts", "ScanSetOptions"]] },
  {
    title: "`sets.differenceStore`, `sets.intersectionStore`, `sets.unionStore`",
    parts: [["cache/method-options.ts", "StoreOptions"]],
  },
  {
    title: "`define(cache, options)`",
    parts: [
      ["definitions/options.ts", "DefinitionOptions"],
      ["definitions/options.ts", "DefinitionSettings"],
    ],
  },
  {
    title: "`get`, `getMany` and `refresh` of a definition",
    parts: [["definitions/options.ts", "DefinitionCallOptions"]],
  },
  {
    title: "`wrap(cache, fn, options)`",
    parts: [
      ["definitions/wrap.ts", "WrapOptions"],
      ["definitions/options.ts", "DefinitionSettings"],
    ],
  },
  { title: "`lock`", parts: [["cache/method-options.ts", "LockOptions"]] },
  { title: "`for`", parts: [["cache/method-options.ts", "InvocationOptions"]] },
  {
    title: "`httpCache(options)`",
    parts: [
      ["hono/options.ts", "HonoOptions"],
      ["http/adapter.ts", "AdapterOptions"],
      ["http/options.ts", "HttpCacheOptions"],
      ["http/rfc/policy.ts", "PolicyOptions"],
    ],
  },
  {
    title: "`cachedHandler(handler, options)`, besides those of `httpCache` from `keyGenerator` on",
    parts: [["fetch/cached-handler.ts", "HandlerOptions"]],
  },
  {
    title: "`cachedFetch(options)`, besides those of `httpCache` from `keyGenerator` on, without `trustForwarded`",
    parts: [
      ["fetch/options.ts", "FetchOptions"],
      ["fetch/options.ts", "CachedFetchOptions"],
    ],
  },
  {
    title: "`httpCacheFastify`, besides those of `httpCache` from `keyGenerator` on",
    parts: [["fastify/options.ts", "FastifyOptions"]],
  },
  {
    title:
      "`routes` of the HTTP cache, `http.policy` and `config.httpCache`; the last two also have `cacheControl` and `vary`",
    parts: [["http/routes.ts", "RouteOptions"]],
  },
  {
    title: "`httpCacheNode(options)`, besides those of `httpCache(options)`",
    parts: [["node/options.ts", "NodeOptions"]],
  },
  { title: "`purge`, `purgeGroups`, `purgePrefix`", parts: [["http/purges.ts", "PurgeOptions"]] },
  { title: "`purgeRoute(options)`", parts: [["http/purge-route.ts", "PurgeRequestOptions"]] },
  {
    title: "`valkeyDriver(options)`, besides those of `createCache`",
    parts: [["adapters/unstorage.ts", "ValkeyDriverOptions"]],
  },
  { title: "`fleetWrap(cache, options)`", parts: [["adapters/cache-manager.ts", "FleetWrapOptions"]] },
  {
    title: "`keyvStore(options)`, besides those of `createCache`, or `cache`",
    parts: [["adapters/keyv.ts", "KeyvStoreSettings"]],
  },
  {
    title: "`useCacheHandler(options)`, `incrementalCacheHandler(options)`",
    parts: [["next/setup.ts", "NextOptions"]],
  },
  { title: "`statistics(cache, options)`", parts: [["observability/statistics.ts", "StatisticsOptions"]] },
  { title: "`instrument(cache, options)`", parts: [["otel/instrument.ts", "InstrumentOptions"]] },
  { title: "`inspector(options)`", parts: [["inspector/options.ts", "InspectorOptions"]] },
  { title: "`rest(options)`", parts: [["connection/rest/factory.ts", "RestOptions"]] },
  { title: "`valkeyCache(source, options)`", parts: [["hono/valkey-cache.ts", "ValkeyCacheOptions"]] },
  { title: "Every compressor", parts: [["compressors/options.ts", "CompressorOptions"]] },
  { title: "`zlib(options)`", parts: [["compressors/deflate.ts", "ZlibOptions"]] },
  { title: "`gzip(options)`", parts: [["compressors/deflate.ts", "GzipOptions"]] },
  { title: "`deflate(options)`", parts: [["compressors/deflate.ts", "DeflateOptions"]] },
  { title: "`brotli(options)`", parts: [["compressors/brotli.ts", "BrotliOptions"]] },
  { title: "`zstd(options)`", parts: [["compressors/zstd.ts", "ZstdOptions"]] },
  { title: "`lz4(options)`", parts: [["compressors/lz4.ts", "Lz4Options"]] },
  { title: "`lzma(options)`", parts: [["compressors/lzma.ts", "LzmaOptions"]] },
  { title: "`bz2(options)`", parts: [["compressors/bz2.ts", "Bz2Options"]] },
  {
    title: "`workerHandler`, `lambdaHandler`, and `waitUntil` of `requestHandler`",
    parts: [
      ["hosts/handlers.ts", "HandlerOptions"],
      ["hosts/handlers.ts", "RequestHandlerOptions"],
    ],
  },
];

/** Other pages with a table. */
export const PAGES = ["near-cache.md"];

const INTRODUCTION = `# Options

**Every number that is a duration is in seconds.** Fractions count to the millisecond: \`ttl: 0.25\` is 250 ms. Strings say
their unit: \`"250ms"\`, \`"90s"\`, \`"5m"\`, \`"2h"\`, \`"1d"\`. cache-manager, cacheable and bentocache use milliseconds, so \`ttl: 60000\`
from one of those means 16.7 hours here. A number of 10,000 or more that is divisible by 1,000, and is not whole days, is
warned about once in a process. A string, such as \`"60000s"\`, is not.

This page is made from the doc comments in \`src/\` by \`npm run options\`.
`;

/** The page. @param {(file: string) => string} readSource reads a file of `src/` @returns {string} */
export function optionsPage(readSource) {
  const sections = SECTIONS.map(({ title, parts }) => `\n## ${title}\n\n${table(parts, readSource)}`);
  return INTRODUCTION + sections.join("");
}

/** A page with its tables of options as they are now. @param {string} page @param {(file: string) => string} readSource @returns {string} */
export function withOptions(page, readSource) {
  return page.replaceAll(/(<!-- options:(\w+) -->\n)[\s\S]*?(<!-- \/options -->)/g, (_all, begin, name, end) => {
    const section = SECTIONS.find(({ title }) => title === `\`${name}(options)\``);
    if (!section) throw new Error(`options: there is no section of ${name}; correct the comment in the page`);
    return `${begin}${table(section.parts, readSource)}${end}`;
  });
}

/** @param {readonly [file: string, name: string][]} parts @param {(file: string) => string} readSource */
function table(parts, readSource) {
  const options = parts.flatMap(([file, name]) => optionsIn(readSource(file), name));
  const rows = options.map((option) => `| \`${option.name}\` | ${option.type} | ${option.default} | ${option.text} |`);
  return `| option | type | default | |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}

/**
 * The options that an interface declares itself.
 * @param {string} source
 * @param {string} name
 * @returns {Option[]}
 */
export function optionsIn(source, name) {
  const body = new RegExp(`export interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(source)?.[1];
  if (body === undefined)
    throw new Error(`options: there is no interface ${name}; correct SECTIONS in scripts/options.mjs`);
  const options = [...body.matchAll(/ {2}\/\*\*([\s\S]*?)\*\/\n {2}(\w+)(\??): (.*);$/gm)].map(
    ([, comment = "", option = "", optional, type = ""]) => {
      const text = comment.replaceAll(/(?:\s*\n\s*\*)+ ?/g, " ").trim();
      const [sentence = "", standard] = text.split(/\s*@default\s+/);
      return {
        name: option,
        type: typeText(type),
        default: optional === "" ? "required" : cell(quoted(standard ?? "")),
        text: cell(sentence),
      };
    },
  );
  const declared = body.match(/^ {2}\w+\??: /gm)?.length ?? 0;
  if (options.length !== declared) throw new Error(`options: ${name} has an option without a doc comment; write one`);
  return options;
}

/** @param {string} declared */
function typeText(declared) {
  // Every option may be undefined, which is as if it were absent.
  const type = declared.replace(/^\((.*)\) \| undefined$/, "$1").replace(/ \| undefined$/, "");
  if (type === "Duration") return "duration";
  if (type === "Duration | null") return "duration, or `null`";
  return cell(`\`${type}\``);
}

/** Literals as code; words as they are. @param {string} text */
export function quoted(text) {
  const literal = /^(?:"[^"]*"|true|false|null|undefined|-?[\d.]+|\[.*?\])/.exec(text)?.[0];
  return literal === undefined ? text : `\`${literal}\`${text.slice(literal.length)}`;
}

/** @param {string} text */
function cell(text) {
  return text.replaceAll("|", "\\|");
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] === self) {
  const src = new URL("../src/", import.meta.url);
  /** @param {string} file */
  const readSource = (file) => readFileSync(new URL(file, src), "utf8");
  const docs = new URL("../docs/", import.meta.url);
  writeFileSync(new URL("options.md", docs), optionsPage(readSource));
  for (const name of PAGES) {
    const page = new URL(name, docs);
    writeFileSync(page, withOptions(readFileSync(page, "utf8"), readSource));
  }
}
