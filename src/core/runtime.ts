import type { MaybePromise } from "./async.js";
import { ConfigurationError } from "./errors.js";

/**
 * Whether this host isolates requests. In Cloudflare Workers one request must not use the sockets and promises of another.
 * Vercel's edge runtime runs there and has the same rule.
 * Source: https://developers.cloudflare.com/workers/runtime-apis/web-standards/#navigatoruseragent and
 * https://vercel.com/docs/functions/runtimes/edge#check-if-you-are-running-on-the-edge-runtime
 */
export function keepsRequestsApart(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers" || "EdgeRuntime" in globalThis;
}

/** Whether this is Node 21 or later, and no host that is compatible with it. */
export function isNode(): boolean {
  return globalThis.navigator?.userAgent?.startsWith("Node.js/") ?? false;
}

/**
 * Loads an optional peer package with the first call. Later calls return it at once. A failed load is tried again.
 * @param load has its `import()` in a `try` block with `missingPackage`: bundlers then build where the package is missing
 */
export function optionalPackage<T>(load: () => Promise<T>): () => MaybePromise<T> {
  let loaded: T | undefined;
  let loading: Promise<T> | undefined;
  const keep = (module: T): T => {
    loaded = module;
    return module;
  };
  const fail = (error: unknown): never => {
    loading = undefined;
    throw error;
  };
  return () => {
    if (loaded !== undefined) return loaded;
    loading ??= load().then(keep).catch(fail);
    return loading;
  };
}

/** Next bundles an empty module in the place of an optional peer that is missing. @throws in that case */
export function filled<T extends object>(module: T): T {
  const { default: contents = module } = module as { default?: object };
  if (Object.keys(contents).length === 0) throw new Error("it was missing when this bundle was made");
  return module;
}

/**
 * The error of a function whose optional peer package can't be loaded.
 * @param name the package's name on npm
 * @param factory the function that needs it
 */
export function missingPackage(name: string, factory: string, cause: unknown): ConfigurationError {
  const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
  return new ConfigurationError(
    `${factory} needs the package ${name}, which could not be loaded (${reason}); run: npm install ${name}`,
    { cause },
  );
}
