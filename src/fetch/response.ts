import { isNode } from "../core/runtime.js";
import { toResponse } from "../http/answer.js";
import type { Body } from "../http/body.js";
import type { Outcome } from "../http/http-cache.js";

/** Changes the header fields of a response: in place, or of a copy where they are read-only. */
export function withHeaders(response: Response, change: (headers: Headers) => void): Response {
  // A response without a body may be one object for many requests.
  if (response.body !== null) {
    try {
      change(response.headers);
      return response;
    } catch (error) {
      // Those of a fetched response are read-only.
      if (!(error instanceof TypeError)) throw error;
    }
  }
  const copy = new Response(response.body, response);
  change(copy.headers);
  return copy;
}

/** In bytes. Up to this size a stream costs more than the copies. */
const LONGEST_COPIED = 16_384;

/**
 * A stored body as a stream with a copy of its own, made when it is read. Node copies bytes once for a response, and again
 * for its stream; other hosts don't, and need the length of what they send on.
 */
function ownStream(bytes: Uint8Array): Body {
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      controller.enqueue(new Uint8Array(bytes));
      controller.close();
    },
  });
}

/**
 * The outcome as a web response.
 * @param hidden response fields that clients don't get @param guard wraps a body that is still being made
 * @param isRead the response is for the application to read, not for a server to send, which is faster with bytes
 */
export function fromOutcome(
  outcome: Outcome,
  {
    isHead,
    hidden,
    guard,
    isRead = false,
  }: { isHead: boolean; hidden: readonly string[]; guard?: ((body: Body) => Body) | undefined; isRead?: boolean },
): Response {
  if ("answer" in outcome) {
    const { answer } = outcome;
    const { status, body } = answer;
    if (isRead && body instanceof Uint8Array && body.length > LONGEST_COPIED && isNode()) {
      return toResponse({ status, fields: answer.fields, body: ownStream(body) }, isHead);
    }
    const isStream = guard !== undefined && body instanceof ReadableStream;
    return toResponse(isStream ? { ...answer, body: guard(body) } : answer, isHead);
  }
  const { response } = outcome.forwarded;
  const { member } = outcome;
  if (member === undefined) return response;
  const guarded = guard && response.body ? new Response(guard(response.body), response) : response;
  return withHeaders(guarded, (headers) => {
    headers.append("cache-status", member);
    for (const name of hidden) headers.delete(name);
  });
}
