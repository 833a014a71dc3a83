import { ConfigurationError } from "../core/errors.js";
import { checkOptions, isBoolean, isFunction } from "../core/options.js";
import type { Next, NodeRequest, NodeResponse } from "./messages.js";

export interface PurgeRouteOptions {
  /** Whether the client may purge. Required, as every client can send a PURGE. */
  authorize: (req: NodeRequest) => boolean | Promise<boolean>;
  /** Keep the responses, and validate them before they are used again, instead of deleting them. @default false */
  soft?: boolean | undefined;
}

/**
 * Answers PURGE requests: 200 with `{"purged": n}`, the number of stored responses that it ended; 403 for clients that
 * may not purge; 503 when the store fails. Requests with other methods go on.
 * @param purge purges the URL that the client asked for
 * @throws {ConfigurationError} without `authorize`
 */
export function purgeRoute(
  options: PurgeRouteOptions,
  purge: (req: NodeRequest, soft: boolean) => Promise<number>,
): (req: NodeRequest, res: NodeResponse, next: Next) => void {
  checkOptions<PurgeRouteOptions>("httpCacheNode.purgeRoute", options, { authorize: isFunction, soft: isBoolean });
  const { authorize, soft = false } = options;
  if (authorize === undefined) {
    throw new ConfigurationError(
      'httpCacheNode.purgeRoute: option "authorize" is missing; give a function that says whether a client may purge',
    );
  }
  const answer = async (req: NodeRequest): Promise<[status: number, body: object]> => {
    if ((await authorize(req)) !== true) return [403, { error: "not allowed to purge" }];
    try {
      return [200, { purged: await purge(req, soft) }];
    } catch (error) {
      if (error instanceof TypeError) return [400, { error: "this URL is never stored" }];
      return [503, { error: "the store did not answer, so nothing may have been purged; try again" }];
    }
  };
  return (req, res, next) => {
    if (req.method !== "PURGE") return void next();
    answer(req).then(([status, body]) => {
      res.statusCode = status;
      res.setHeader("Content-Type", "application/json");
      res.setHeader("Cache-Control", "no-store");
      res.end(JSON.stringify(body));
    }, next);
  };
}
