import { ConfigurationError } from "../core/errors.js";
import { checkOptions, isBoolean, isFunction } from "../core/options.js";

/** Options of a handler for PURGE requests. `Request` is what the framework gives to handlers. */
export interface PurgeRequestOptions<Request> {
  /** Whether the client may purge. Required, as every client can send a PURGE. */
  authorize: (request: Request) => boolean | Promise<boolean>;
  /** Keep the responses, and validate them before they are used again, instead of deleting them. @default false */
  soft?: boolean | undefined;
}

/** The answer to a PURGE request, which no cache may store. */
export interface PurgeReply {
  readonly status: 200 | 400 | 403 | 503;
  readonly body: { readonly purged: number } | { readonly error: string };
}

/**
 * Answers PURGE requests: 200 with `{"purged": n}`, the number of stored responses that it ended; 403 for clients that
 * may not purge; 503 when the store fails.
 * @param where the function that takes the options, for messages
 * @param purge purges the URL that the client asked for
 * @throws {ConfigurationError} without `authorize`
 */
export function purgeReplies<Request>(
  where: string,
  options: PurgeRequestOptions<Request>,
  purge: (request: Request, soft: boolean) => Promise<number>,
): (request: Request) => Promise<PurgeReply> {
  checkOptions<PurgeRequestOptions<Request>>(where, options, { authorize: isFunction, soft: isBoolean });
  const { authorize, soft = false } = options;
  if (authorize === undefined) {
    throw new ConfigurationError(
      `${where}: option "authorize" is missing; give a function that says whether a client may purge`,
    );
  }
  return async (request) => {
    if ((await authorize(request)) !== true) return { status: 403, body: { error: "not allowed to purge" } };
    try {
      return { status: 200, body: { purged: await purge(request, soft) } };
    } catch (error) {
      if (error instanceof TypeError) return { status: 400, body: { error: "this URL is never stored" } };
      const message = "the store did not answer, so nothing may have been purged; try again";
      return { status: 503, body: { error: message } };
    }
  };
}
