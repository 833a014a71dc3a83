import { diagnosticsChannels } from "./api/diagnostics-channels.js";
import { memoryAt } from "./api/memory.js";
import type { Cache } from "./cache/cache.js";
import { type Caches, makeCaches } from "./cache/caches.js";
import type { CacheOptions, LocatedCacheOptions } from "./cache/options.js";
import type { ChooseFactory } from "./cache/settings.js";
import { makeCache } from "./cache/view.js";
import { joinCopies } from "./connection/copies.js";
import { glideElseIovalkey } from "./connection/glide/factory.js";
import { iovalkey } from "./connection/iovalkey/node.js";

export * from "./api/common.js";
export type { GlideLogLevel } from "./connection/glide/client.js";
export { type GlideOptions, glide, glideCluster } from "./connection/glide/factory.js";
export type { ByteStreams, Connector, DialTarget } from "./connection/iovalkey/connector.js";
export type { IovalkeyOptions, IovalkeyTlsOptions } from "./connection/iovalkey/factory.js";
export { iovalkey } from "./connection/iovalkey/node.js";
export type { SentinelAddress, SentinelOptions } from "./connection/sentinel/factory.js";
export { sentinel } from "./connection/sentinel/node.js";
export { nearCache } from "./near/node.js";

joinCopies();

/**
 * Makes a cache. It opens no connection before its first command.
 *
 * `memory:` is a store of its own for each cache, `memory:name` one that the process shares by name.
 * @throws {ConfigurationError} on wrong options
 * @example
 * const cache = createCache({ location: "valkey://localhost:6379", keyPrefix: "shop", client: herd() });
 */
export function createCache(options: CacheOptions | LocatedCacheOptions): Cache {
  return makeCache(options, chooseFactory, diagnosticsChannels());
}

/**
 * Makes several caches. Each is made when it is first used.
 * @param options the options of each cache, by alias
 * @param defaults options of every cache that has no option of that name itself
 * @throws {ConfigurationError} on wrong options
 * @example
 * const caches = createCaches({ users: { keyPrefix: "users" }, pages: { ttl: "1h" } }, { location: "valkey://localhost:6379" });
 * await caches.users.get("1");
 */
export function createCaches<Alias extends string>(
  options: Readonly<Record<Alias, CacheOptions | LocatedCacheOptions>>,
  defaults: Partial<CacheOptions> = {},
): Caches<Alias> {
  return makeCaches(options, defaults, chooseFactory, diagnosticsChannels());
}

const chooseFactory: ChooseFactory = (location, options) => {
  if (location.scheme === "memory") return memoryAt(location);
  // What GLIDE lacks: sockets, and certificates to show.
  return location.scheme === "unix" || options.tls?.cert ? iovalkey(options) : glideElseIovalkey(options);
};
