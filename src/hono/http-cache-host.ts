import type { Context, Next } from "hono";
import { unconditional } from "../http/conditional.js";
import type { Forwarded, Host, OriginRequest } from "../http/engine/host.js";
import type { Fields } from "../http/fields.js";
import type { Dispatches } from "./http-cache-dispatches.js";
import { runInner, toRequest } from "./http-cache-inner.js";
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
  /** The handler's. */
  #signal: AbortSignal | undefined;

  constructor(
    c: Context,
    next: Next,
    options: HonoOptions,
    dispatches: Dispatches,
    waitUntil: (work: Promise<void>) => void,
    key: string | undefined,
  ) {
    this.#c = c;
    this.#next = next;
    this.#options = options;
    this.#raw = c.req.raw;
    this.again = dispatches.again(c, key);
    this.waitUntil = waitUntil;
  }

  preset(): Fields {
    this.#preset ??= takeOuter(this.#c);
    return this.#preset;
  }

  /** Handlers go on to see `request` until `restore` is called: what makes a body looks at it for as long as that takes. */
  async forward(request: OriginRequest | undefined): Promise<Forwarded> {
    const preset = this.preset();
    this.#signal = request?.signal;
    if (request) this.#c.req.raw = toRequest(this.#raw, request);
    const forwarded = await runInner(this.#c, this.#next, this.#options, preset);
    const fields = request && unconditional(request.fields);
    // Middleware outside would take the validators of the stored response for the client's own.
    if (request && fields && fields.length < request.fields.length) {
      this.#c.req.raw = toRequest(this.#raw, { ...request, fields });
    }
    return forwarded;
  }

  /** Gives middleware outside the client's request back, unless its handler has yet to see that it is not wanted any more. */
  restore(): void {
    if (!this.#signal?.aborted) this.#c.req.raw = this.#raw;
  }

  signal(): AbortSignal {
    return this.#raw.signal;
  }
}
