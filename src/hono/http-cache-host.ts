import type { Context, Next } from "hono";
import { keepsRequestsApart } from "../core/runtime.js";
import type { Forwarded, Host, OriginRequest } from "../http/engine/host.js";
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
  /** The client's request. */
  readonly #raw: Request;
  #preset: Fields | undefined;

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
    this.#raw = c.req.raw;
    this.again = dispatches.again(c);
    this.waitUntil = waitUntil;
  }

  preset(): Fields {
    this.#preset ??= takeOuter(this.#c);
    return this.#preset;
  }

  /** Handlers go on to see `request` until `restore` is called: what makes a body looks at it for as long as that takes. */
  forward(request: OriginRequest | undefined): Promise<Forwarded> {
    const preset = this.preset();
    if (request) this.#c.req.raw = toRequest(this.#raw, request);
    return runInner(this.#c, this.#next, this.#options, preset);
  }

  /** Gives middleware outside the client's request back. */
  restore(): void {
    this.#c.req.raw = this.#raw;
  }

  signal(): AbortSignal {
    return this.#raw.signal;
  }
}

/** In Workers a request carries more than its parts; elsewhere it may be something that only looks like a request. */
function toRequest(raw: Request, { url, fields, signal = raw.signal }: OriginRequest): Request {
  const headers = fields.map(([name, value]): [string, string] => [name, value]);
  if (!keepsRequestsApart()) return new Request(url, { method: raw.method, headers, signal });
  return new Request(raw.url === url ? raw : new Request(url, raw), { headers, signal });
}
