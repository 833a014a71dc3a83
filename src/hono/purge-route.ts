import type { Context, Handler } from "hono";
import { ConfigurationError } from "../core/errors.js";
import { checkOptions, isBoolean, isFunction } from "../core/options.js";

export interface PurgeRouteOptions {
  /** Whether the client may purge. Required, as anybody can send a PURGE. */
  authorize: (c: Context) => boolean | Promise<boolean>;
  /** Keep the responses, and validate them before they are used again, instead of deleting them. @default false */
  soft?: boolean | undefined;
}

/**
 * Answers PURGE requests: 200 with `{"purged": n}`, the number of stored responses that it ended; 403 for clients that
 * may not purge; 503 when the store fails.
 * @param purge purges the URL that the client asked for
 * @throws {ConfigurationError} without `authorize`
 */
export function purgeRoute(options: PurgeRouteOptions, purge: (c: Context, soft: boolean) => Promise<number>): Handler {
  checkOptions<PurgeRouteOptions>("httpCache.purgeRoute", options, { authorize: isFunction, soft: isBoolean });
  const { authorize, soft = false } = options;
  if (authorize === undefined) {
    throw new ConfigurationError(
      'httpCache.purgeRoute: option "authorize" is missing; give a function that says whether a client may purge',
    );
  }
  return async (c) => {
    c.header("cache-control", "no-store");
    if ((await authorize(c)) !== true) return c.json({ error: "not allowed to purge" }, 403);
    try {
      return c.json({ purged: await purge(c, soft) });
    } catch (error) {
      if (error instanceof TypeError) return c.json({ error: "this URL is never stored" }, 400);
      return c.json({ error: "the store did not answer, so nothing may have been purged; try again" }, 503);
    }
  };
}
