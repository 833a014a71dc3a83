import { connectionChecks } from "../connection/options.js";
import { ConfigurationError } from "../core/errors.js";
import type { Channels } from "../core/event-types.js";
import { isRecord } from "./arguments.js";
import type { Cache } from "./cache.js";
import type { CacheOptions, LocatedCacheOptions } from "./options.js";
import { type ChooseFactory, toSettings } from "./settings.js";
import { makeCache } from "./view.js";

/** Caches by alias, each created when first used. */
export type Caches<Alias extends string> = { readonly [A in Alias]: Cache } & AsyncDisposable & {
    /** Closes the caches that were used. */
    close(): Promise<void>;
  };

/** Creates several caches. @throws {ConfigurationError} on wrong options of any of them */
export function makeCaches<Alias extends string>(
  options: Readonly<Record<Alias, CacheOptions | LocatedCacheOptions>>,
  defaults: Partial<CacheOptions>,
  choose: ChooseFactory,
  channels?: Channels,
): Caches<Alias> {
  if (!isRecord(options)) {
    throw new ConfigurationError(
      'createCaches: options must be an object that has options by alias, such as { default: { location: "memory:" } }',
    );
  }
  if (!isRecord(defaults)) {
    throw new ConfigurationError('createCaches: defaults must be an object of options, such as { ttl: "5m" }');
  }
  const used = new Map<string, Cache>();
  const close = async (): Promise<void> => {
    await Promise.all([...used.values()].map((cache) => cache.close()));
  };
  const caches: object = { close, [Symbol.asyncDispose]: close };
  for (const [alias, own] of Object.entries<CacheOptions | LocatedCacheOptions>(options)) {
    if (Object.hasOwn(caches, alias))
      throw new ConfigurationError(`createCaches: a cache can't be called "${alias}"; choose another alias`);
    const merged = merge(defaults, own, alias);
    checkNow(merged, alias, choose);
    Object.defineProperty(caches, alias, {
      enumerable: true,
      get() {
        const cache = used.get(alias) ?? makeCache(merged, choose, channels);
        used.set(alias, cache);
        return cache;
      },
    });
  }
  return caches as Caches<Alias>;
}

/** Wrong options throw now, although the cache is created by its first use. */
function checkNow(options: CacheOptions | LocatedCacheOptions, alias: string, choose: ChooseFactory): void {
  try {
    toSettings(options, choose);
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause;
    throw new ConfigurationError(`createCaches: cache "${alias}": ${cause.message}`, { cause });
  }
}

/** The defaults' location and connection options don't apply to a cache whose connection factory has its own. */
function merge(
  defaults: Partial<CacheOptions>,
  own: CacheOptions | LocatedCacheOptions,
  alias: string,
): CacheOptions | LocatedCacheOptions {
  if (typeof own !== "object" || own === null)
    throw new ConfigurationError(`createCaches: "${alias}" must have an object of options`);
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  const { connectionFactory } = own;
  const isOwn = (name: string): boolean =>
    name === "location" ? connectionFactory?.location !== undefined : Object.hasOwn(connectionChecks, name);
  const inherited = Object.entries(defaults).filter(([name]) => connectionFactory === undefined || !isOwn(name));
  return { ...Object.fromEntries(inherited), ...given } as CacheOptions;
}
