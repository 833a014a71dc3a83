import { ConfigurationError } from "./errors.js";
import type { MaybePromise } from "./maybe-promise.js";

/**
 * Whether this host keeps requests apart: in Cloudflare Workers sockets and promises of one request must not be touched by
 * another, nor in Vercel's edge runtime, which runs there.
 * Source: https://developers.cloudflare.com/workers/runtime-apis/web-standards/#navigatoruseragent and
 * https://vercel.com/docs/functions/runtimes/edge#check-if-you-are-running-on-the-edge-runtime
 */
export function keepsRequestsApart(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers" || "EdgeRuntime" in globalThis;
}

/**
 * A package that only those install who use what needs it. Loaded by the first call, after which calls answer at once;
 * a failure is not remembered.
 * @param name as npm knows it
 * @param factory what needs it, for the error
 * @returns a function that throws (or rejects with) a `ConfigurationError` saying what to install
 */
export function optionalPackage<T>(name: string, factory: string, load: () => Promise<T>): () => MaybePromise<T> {
  let loaded: T | undefined;
  let loading: Promise<T> | undefined;
  const fail = (cause: unknown): never => {
    loading = undefined;
    const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
    throw new ConfigurationError(
      `${factory} needs the package ${name}, which could not be loaded (${reason}); run: npm install ${name}`,
      { cause },
    );
  };
  const keep = (module: T): T => {
    loaded = module;
    return module;
  };
  return () => {
    if (loaded !== undefined) return loaded;
    loading ??= load().then(keep).catch(fail);
    return loading;
  };
}
