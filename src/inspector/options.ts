import type { Context } from "hono";
import type { Cache } from "../cache/cache.js";
import type { MaybePromise } from "../core/async.js";
import { ConfigurationError, show } from "../core/errors.js";
import { type Check, type Checks, checkOptions, isBoolean, isFunction, isWait } from "../core/options.js";
import { type Duration, toMs } from "../core/time.js";
import { type CacheSource, cacheSource } from "../hosts/with-cache.js";
import type { Progress, PurgeTarget } from "../inspect/port.js";

/** Options of `inspector()`. */
export interface InspectorOptions {
  /** The cache to look into, or a function that makes it from the first request's context, such as from `c.env`. */
  cache: CacheSource<[c: Context]>;
  /**
   * Whether the client may look into the cache: it sees every key and value. Called for every request, and again for each
   * live stream that is open. `false` answers 403; a `Response`, or the one of an
   * `HTTPException` as Hono's `basicAuth()` throws it, is answered as it is; another error is reported and answers 500.
   */
  authorize: (c: Context) => MaybePromise<boolean | Response>;
  /** Allow clients to purge. @default false */
  allowChanges?: boolean | undefined;
  /** The name of the client's user, for the log of changes. @default none */
  user?: ((c: Context) => MaybePromise<string | undefined>) | undefined;
  /** Called with each change when it has ended. Changes are also logged by the cache's `logger`. @default none */
  onChange?: ((change: InspectorChange) => void) | undefined;
  /**
   * The name under which calls of a stored key are counted, such as `"user"` for `"app:1:user:7"`; `undefined`: under none.
   * @default the user's key up to its first ":"
   */
  definition?: ((key: string) => string | undefined) | undefined;
  /** Have this process report to the inspectors of other processes, and show what those report. @default true */
  fleet?: boolean | undefined;
  /** How often `authorize` is called again while a live stream is open. @default "1m" */
  authorizeEvery?: Duration | undefined;
}

/** A purge by a client of the inspector. */
export interface InspectorChange {
  readonly target: PurgeTarget;
  /** Entries were made stale instead of ended. */
  readonly soft: boolean;
  /** Entries were deleted to free their memory. */
  readonly free: boolean;
  /** As the option `user` says. */
  readonly user: string | undefined;
  /** How far it came. */
  readonly progress: Progress;
  /** `"aborted"`: the client has left. What was done stays done. */
  readonly outcome: "done" | "failed" | "aborted";
  /** Why it has failed; `undefined` when it has not. */
  readonly error: unknown;
}

export const inspectorDefaults = {
  allowChanges: false,
  fleet: true,
  authorizeEvery: "1m",
} as const satisfies Partial<InspectorOptions>;

/** Options with their defaults. */
export interface InspectorSettings {
  readonly cacheOf: (c: Context) => Cache;
  /** Where it is known before the first request. */
  readonly cache: Cache | undefined;
  readonly authorize: InspectorOptions["authorize"];
  readonly allowChanges: boolean;
  readonly user: NonNullable<InspectorOptions["user"]>;
  readonly onChange: NonNullable<InspectorOptions["onChange"]>;
  readonly definition: InspectorOptions["definition"];
  readonly fleet: boolean;
  readonly authorizeEveryMs: number;
}

const isCacheSource: Check = (value) =>
  typeof value === "function" || isCache(value) ? undefined : "what createCache() returns, or a function that makes it";

const checks: Checks<InspectorOptions> = {
  cache: isCacheSource,
  authorize: isFunction,
  allowChanges: isBoolean,
  user: isFunction,
  onChange: isFunction,
  definition: isFunction,
  fleet: isBoolean,
  authorizeEvery: isWait,
};

/** @throws {ConfigurationError} on wrong options */
export function toSettings(options: InspectorOptions): InspectorSettings {
  checkOptions<InspectorOptions>("inspector", options, checks);
  const { cache, authorize, allowChanges, user, onChange, definition, fleet, authorizeEvery } = options;
  if (cache === undefined) {
    throw new ConfigurationError('inspector: option "cache" is missing; give what createCache() returns');
  }
  if (authorize === undefined) {
    throw new ConfigurationError(
      'inspector: option "authorize" is missing; give a function that says whether a client may see every key and value of the cache',
    );
  }
  const cacheOf = cacheSource<[c: Context]>(cache);
  return {
    cacheOf: (c) => {
      const made: unknown = cacheOf(c);
      if (isCache(made)) return made;
      throw new ConfigurationError(
        `inspector: option "cache" returned ${show(made)}; return what createCache() returns`,
      );
    },
    cache: typeof cache === "function" ? undefined : cache,
    authorize,
    allowChanges: allowChanges ?? inspectorDefaults.allowChanges,
    user: user ?? (() => undefined),
    onChange: onChange ?? (() => {}),
    definition,
    fleet: fleet ?? inspectorDefaults.fleet,
    authorizeEveryMs: toMs(authorizeEvery ?? inspectorDefaults.authorizeEvery, "authorizeEvery"),
  };
}

function isCache(value: unknown): value is Cache {
  return typeof value === "object" && value !== null && "parts" in value && "events" in value && "makeKey" in value;
}
