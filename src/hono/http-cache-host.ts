import type { Context, Next } from "hono";
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
    if (fields) c.req.raw = new Request(raw, { headers: fields.map(([name, value]) => [name, value]) });
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
