import type { Context, Next } from "hono";
import { keepsRequestsApart } from "../core/runtime.js";
import type { Forwarded, Host } from "../http/engine/host.js";
import type { Fields } from "../http/fields.js";
import type { Dispatches } from "./http-cache-dispatches.js";
import { runInner } from "./http-cache-inner.js";
import type { HonoOptions } from "./http-cache-options.js";
import { takeOuter } from "./http-cache-outer.js";

/** The handlers behind the middleware as the origin of one request. */
export class HonoHost implements Host {
  readonly again: Host["again"];
  readonly waitUntil: (work: Promise<void>) => void;
  readonly #c: Context;
  readonly #next: Next;
  readonly #options: HonoOptions;
  #outer: Fields | undefined;

  constructor(
    c: Context,
    next: Next,
    options: HonoOptions,
    dispatches: Dispatches,
    waitUntil: (work: Promise<void>) => void,
  ) {
    this.#c = c;
    this.#next = next;
    this.#options = options;
    this.again = dispatches.again(c);
    this.waitUntil = waitUntil;
  }

  /** What middleware outside has put into the response. */
  outer(): Fields {
    this.#outer ??= takeOuter(this.#c);
    return this.#outer;
  }

  async forward(fields: Fields | undefined): Promise<Forwarded> {
    const c = this.#c;
    const { raw } = c.req;
    this.outer();
    if (fields) c.req.raw = withFields(raw, fields);
    try {
      return await runInner(c, this.#next, this.#options);
    } finally {
      c.req.raw = raw;
    }
  }

  signal(): AbortSignal {
    return this.#c.req.raw.signal;
  }
}

/** In Workers a request carries more than its parts; elsewhere it may be something that only looks like a request. */
function withFields(raw: Request, fields: Fields): Request {
  const headers = fields.map(([name, value]): [string, string] => [name, value]);
  if (keepsRequestsApart()) return new Request(raw, { headers });
  return new Request(raw.url, { method: raw.method, headers, signal: raw.signal });
}
