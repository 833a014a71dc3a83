import type { FastifyReply } from "fastify";
import { addDefaults } from "../http/adapter.js";
import type { Forwarded } from "../http/host.js";
import type { Fields } from "../http/rfc/message.js";
import { isGone, isServerError } from "../http/rfc/statuses.js";
import type { RoutePolicy } from "../http/route-policy.js";
import type { Payload } from "./payload.js";
import { fieldsOf, ReplyHeaders } from "./reply.js";

/** The statuses whose responses have neither a body nor a length. */
export const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
/** Keeps a response from being stored, and is not sent. */
const NO_STORE: Fields = [["cache-control", "no-store"]];

/** What a reply does not say itself. */
export interface Circumstances {
  /** Whether it may be stored. The preset fields are then not on it. */
  readonly isStorable: boolean;
  /** Trailers can't be stored. */
  readonly hasTrailers: boolean;
  /** The handler or a hook has failed, and the reply is the error response. */
  readonly hasFailed: boolean;
  readonly preset: Fields;
  readonly policy: RoutePolicy;
}

/** A handler's reply as the cache takes it. @throws TypeError where it is no valid response */
export function toForwarded(reply: FastifyReply, payload: Payload, circumstances: Circumstances): Forwarded {
  const { isStorable, hasTrailers, hasFailed, preset, policy } = circumstances;
  const { defaults, storage } = policy;
  const { statusCode: status } = reply;
  // An error of a client is an answer. One that says that there is nothing may be stored.
  const failed = hasFailed && isServerError(status);
  if (isStorable && !hasFailed) addDefaults(new ReplyHeaders(reply), status, defaults, preset);
  const headers = new Headers();
  for (const [name, value] of fieldsOf(reply)) {
    const isPreset = !isStorable && preset.some(([other, same]) => other === name && same === value);
    if (!isPreset) headers.append(name, value);
  }
  const hasBody = !WITHOUT_BODY.has(status);
  const { bytes } = payload;
  const isHead = reply.request.method === "HEAD";
  // Fastify adds it after this.
  if (isHead && bytes && hasBody) headers.set("content-length", String(bytes.length));
  // The header fields of an error that was thrown may have been meant for another response.
  const isMistaken = hasFailed && !failed && !isGone(status);
  const body = hasBody && !isHead ? payload.body() : null;
  const response = new Response(body as ConstructorParameters<typeof Response>[0], { status, headers });
  return { response, failed, storage, preset: isMistaken || hasTrailers ? [...preset, ...NO_STORE] : preset };
}
