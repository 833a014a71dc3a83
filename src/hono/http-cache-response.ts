import type { Context } from "hono";
import { toResponse } from "../http/engine/answer.js";
import type { Outcome } from "../http/engine/http-cache.js";
import type { Fields } from "../http/fields.js";
import { restoreOuter } from "./http-cache-outer.js";

/** Makes the outcome the context's response. */
export function finish(c: Context, outcome: Outcome, outer: Fields): void {
  if ("passed" in outcome) {
    restore(c, outer);
    mark(c, outcome.member);
    return;
  }
  if (outcome.answer.untouched) {
    restore(c, outer);
    return;
  }
  const response = toResponse(outcome.answer, c.req.method === "HEAD");
  if (outer.length > 0) restoreOuter(response.headers, outer);
  // Without this, Hono would merge the old response's headers over the new ones.
  c.res = undefined;
  c.res = response;
}

function restore(c: Context, outer: Fields): void {
  if (outer.length > 0) change(c, (headers) => restoreOuter(headers, outer));
}

function mark(c: Context, member: string): void {
  // That response is one object for all requests, and nobody sends its headers.
  if (c.res.headers.has("x-hono-already-sent")) return;
  change(c, (headers) => headers.append("cache-status", member));
}

/** Headers of a fetched response can't be changed: then it is made anew. */
function change(c: Context, work: (headers: Headers) => void): void {
  try {
    work(c.res.headers);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const copy = new Response(c.res.body, c.res);
    work(copy.headers);
    c.res = undefined;
    c.res = copy;
  }
}
