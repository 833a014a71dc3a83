import type { FastifyInstance } from "fastify";
import { type Forwarded, type Host, type OriginRequest, UnreachedError } from "../http/host.js";
import { syntheticRequest } from "../node/synthetic.js";
import type { FastifyHost } from "./host.js";

/** A request that the plugin has sent through the application. */
export interface InternalRequest {
  /** The request that the handlers get. */
  readonly request: OriginRequest;
  /** The key that the response is stored under, where the application has a `keyGenerator`. */
  readonly key: string | undefined;
  readonly resolve: (forwarded: Forwarded) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Requests that the plugin sends through the application, as a reply can be sent only once. They are recognised by object
 * identity. No header marks them, so no client can send one.
 */
export class InternalRequests {
  readonly #fastify: FastifyInstance;
  readonly #underway = new WeakMap<object, InternalRequest>();

  constructor(fastify: FastifyInstance) {
    this.#fastify = fastify;
  }

  /** Sends a request through the whole application. @param key the client's */
  refetch(key: string | undefined): Host["refetch"] {
    return (request, sent) =>
      new Promise<Forwarded>((resolve, reject) => {
        const { req, res } = syntheticRequest(request.url, sent);
        this.#underway.set(req, { request, key, resolve, reject });
        res.once("close", () => {
          if (!this.#underway.has(req)) return;
          const error = `${request.url}: a background refresh did not reach httpCacheFastify, so the next request validates it; register plugins that refuse requests without credentials after httpCacheFastify`;
          reject(new UnreachedError(error));
        });
        this.#fastify.routing(req, res);
      });
  }

  /** Runs the handlers for an internal request, and hands their response to its sender. @param key of `host`'s request */
  run({ request, key: before, resolve, reject }: InternalRequest, host: FastifyHost, key: string | undefined): void {
    if (key === before) void host.forward(request).then(resolve);
    else {
      reject(new UnreachedError(`${request.url}: a background refresh made the key ${key} in the place of ${before}`));
      host.sendNothing();
    }
  }

  /** The internal request that Node's request stands for, if it stands for one. It has then reached the cache. */
  take(raw: object): InternalRequest | undefined {
    const internal = this.#underway.get(raw);
    if (internal) this.#underway.delete(raw);
    return internal;
  }
}
