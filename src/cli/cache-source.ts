import { readFile } from "node:fs/promises";
import { createCache, defaultClient, glideCluster, herd, nearCache, sentinel } from "valkey-edge-cache";
import type { Cache } from "../cache/cache.js";
import type { CacheOptions, LocatedCacheOptions, Logger } from "../cache/options.js";
import type { ConnectionOptions, TlsOptions } from "../connection/options.js";
import type { Compressor, Serializer } from "../core/value-format.js";
import { CACHE_OPTIONS } from "./commands.js";
import { cacheOfConfig } from "./config-module.js";
import { EXIT, Exit } from "./exit-codes.js";
import type { Environment } from "./io.js";
import type { Options } from "./options.js";

/** The name of this program's connections in CLIENT LIST. */
export const CLIENT_NAME = "valkey-edge-cache-cli";

/**
 * The cache that a command line names: by the module of `--config`, else by `--url` and its options, else by the variables
 * `VALKEY_EDGE_CACHE_CONFIG` and `VALKEY_URL`. Connects to nothing.
 * @param logger gets the cache's warnings
 * @throws {Exit} where nothing names a cache
 * @throws {ConfigurationError} on wrong options
 */
export async function openCache(options: Options, env: Environment, logger: Logger): Promise<Cache> {
  const url = options.text("url");
  const config = options.text("config") ?? (url === undefined ? env.VALKEY_EDGE_CACHE_CONFIG || undefined : undefined);
  if (config !== undefined) {
    const beside = CACHE_OPTIONS.map(({ flags }) => /--[\w-]+/.exec(flags)?.[0] ?? "").find((flag) =>
      options.has(camelCase(flag)),
    );
    if (beside !== undefined)
      throw new Exit(EXIT.usage, `${beside} is given beside --config, whose module has its own; leave one of them out`);
    return cacheOfConfig(config, options.text("cache"));
  }
  if (options.has("cache"))
    throw new Exit(EXIT.usage, "--cache names an export of --config; give --config, or leave --cache out");
  const location = url ?? env.VALKEY_URL;
  if (location === undefined || location === "") {
    throw new Exit(
      EXIT.usage,
      "no cache is named; set VALKEY_URL, or give --url valkey://host:6379, or --config with a module that exports the cache",
    );
  }
  return createCache(await toCacheOptions(location, options, env, logger));
}

async function toCacheOptions(
  location: string,
  options: Options,
  env: Environment,
  logger: Logger,
): Promise<CacheOptions | LocatedCacheOptions> {
  const shared = {
    keyPrefix: options.text("prefix"),
    version: options.number("keyVersion"),
    client: options.text("client") === "herd" ? herd() : defaultClient(),
    nearCache: options.flag("nearCache") ? nearCache() : undefined,
    serializer: await serializer(options.text("serializer")),
    compressor: await compressor(options.text("compressor")),
    logger,
  };
  const timeout = options.text("timeout");
  if (/^\s*https?:/i.test(location)) {
    const { rest } = await import("../connection/rest/factory.js");
    const connectionFactory = rest({
      token: env.VALKEY_TOKEN ?? "",
      ...(timeout ? { commandTimeout: seconds(timeout) } : {}),
    });
    return { ...shared, location, connectionFactory };
  }
  const isMemory = /^\s*memory:/i.test(location);
  const connection: ConnectionOptions = {
    ...(isMemory ? {} : { clientName: CLIENT_NAME }),
    ...(timeout ? { connectTimeout: seconds(timeout), commandTimeout: seconds(timeout) } : {}),
    ...given({
      username: options.text("username") ?? (env.VALKEY_USERNAME || undefined),
      password: env.VALKEY_PASSWORD || undefined,
      tls: await tlsOptions(options),
    }),
  };
  const sentinels = options.list("sentinel");
  if (options.flag("cluster") && sentinels.length > 0)
    throw new Exit(
      EXIT.usage,
      "--cluster and --sentinel are given; leave one of them out, as a cluster has no sentinels",
    );
  if (sentinels.length > 0) {
    const sentinelPassword = env.VALKEY_SENTINEL_PASSWORD || undefined;
    const found = { ...connection, sentinels: sentinels.map(toAddress), ...given({ sentinelPassword }) };
    return { ...shared, location, connectionFactory: sentinel(found) };
  }
  if (options.flag("cluster")) return { ...shared, location, connectionFactory: glideCluster(connection) };
  return { ...shared, location, ...connection };
}

/** Only what has a value. */
function given<T extends object>(values: T): Partial<{ [K in keyof T]: NonNullable<T[K]> }> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<{
    [K in keyof T]: NonNullable<T[K]>;
  }>;
}

async function tlsOptions(options: Options): Promise<TlsOptions | undefined> {
  const files = await Promise.all(
    (["ca", "cert", "key"] as const).map(async (name) => {
      const flag = `tls-${name}`;
      const path = options.text(camelCase(flag));
      return path === undefined ? [] : [[name, await pem(`--${flag}`, path)] as const];
    }),
  );
  const found: TlsOptions = Object.fromEntries(files.flat());
  if (options.flag("tlsInsecure")) found.insecure = true;
  return Object.keys(found).length > 0 ? found : undefined;
}

async function pem(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new Exit(EXIT.usage, `${flag}: ${path} can't be read; give the path of a file in PEM form`, { cause });
  }
}

function toAddress(text: string): { host: string; port?: number } {
  const [, host, port] = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined)
    throw new Exit(
      EXIT.usage,
      `--sentinel: ${JSON.stringify(text)} is not an address; give one such as localhost:26379`,
    );
  return { host: host.replace(/^\[|\]$/g, ""), ...(port === undefined ? {} : { port: Number(port) }) };
}

/** A duration of the command line: seconds, or with a unit. @throws {Exit} */
function seconds(text: string): `${number}ms` {
  const [, count, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? [];
  const ms = Number(count) * { ms: 1, s: 1_000, m: 60_000 }[unit as "ms" | "s" | "m"];
  if (ms > 0) return `${ms}ms`;
  throw new Exit(EXIT.usage, `--timeout: ${JSON.stringify(text)} is not a duration; give one such as "250ms" or "5s"`);
}

async function serializer(name: string | undefined): Promise<Serializer | undefined> {
  if (name === "msgpack") return (await import("../serializers/msgpack.js")).msgpack();
  if (name === "structured-clone") return (await import("../serializers/structured-clone.js")).structuredClone();
  return undefined;
}

async function compressor(name: string | undefined): Promise<Compressor | undefined> {
  switch (name) {
    case "zlib":
    case "gzip":
    case "deflate":
      return (await import("../compressors/deflate.js"))[name]();
    case "brotli":
      return (await import("../compressors/brotli.js")).brotli();
    case "zstd":
      return (await import("../compressors/zstd.js")).zstd();
    case "lz4":
      return (await import("../compressors/lz4.js")).lz4();
    case "lzma":
      return (await import("../compressors/lzma.js")).lzma();
    case "bz2":
      return (await import("../compressors/bz2.js")).bz2();
    default:
      return undefined;
  }
}

/** `--tls-ca` as the parser names its value. */
function camelCase(flag: string): string {
  return flag.replace(/^--/, "").replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
