import { keepsRequestsApart } from "../core/runtime.js";
import { addDefaults, hasDefaults } from "../http/adapter.js";
import { contentLength } from "../http/answer.js";
import type { Forwarded, Host, OriginRequest } from "../http/host.js";
import { isSafe } from "../http/rfc/invalidation.js";
import { type Fields, hasField, listMembers, toFields, withoutFields } from "../http/rfc/message.js";
import type { WaitUntil } from "../http/views.js";
import { type Call, requestOf } from "./call.js";
import type { Fetch, FetchOptions } from "./options.js";
import { inheritedInit } from "./redirects.js";
import type { Selecting } from "./selecting.js";

/** Codings that fetch decodes in all runtimes. Whether it has decoded another one can't be seen, so that stays named. */
const DECODED: ReadonlySet<string> = new Set(["gzip", "x-gzip", "deflate", "br", "identity"]);
const VALIDATORS: ReadonlySet<string> = new Set(["if-none-match", "if-modified-since"]);

/** What calls of one `cachedFetch` have in common. */
export interface Origin {
  readonly send: Fetch;
  readonly options: Pick<FetchOptions, "cacheControl" | "vary">;
  readonly selecting: Selecting;
  readonly maxBodySize: number;
}

interface HostParts {
  readonly waitUntil: WaitUntil;
  readonly signal: AbortSignal | undefined;
  /** Purges what an unsafe request has changed that was redirected to another URL. */
  readonly invalidate: (location: string) => Promise<void>;
}

/** A fetch as the origin of one call. */
export class FetchHost implements Host {
  readonly waitUntil: WaitUntil;
  /** Where the response came from, as far as fetch has followed redirects by itself. */
  reached: { readonly url: string; readonly redirected: boolean };
  readonly #call: Call;
  readonly #origin: Origin;
  readonly #parts: HostParts;

  constructor(call: Call, origin: Origin, parts: HostParts) {
    this.#call = call;
    this.#origin = origin;
    this.#parts = parts;
    this.waitUntil = parts.waitUntil;
    this.reached = { url: call.url, redirected: call.redirects > 0 };
  }

  async forward(request: OriginRequest | undefined): Promise<Forwarded> {
    return request ? this.refetch(request) : this.#forwardUnchanged();
  }

  /** Redirects are left to the cache, as each URL has a response of its own. */
  async refetch({ url, fields, signal }: OriginRequest): Promise<Forwarded> {
    const { selecting, options, maxBodySize } = this.#origin;
    const { mode, headers } = this.#call;
    const given = toFields(headers);
    const asked = selecting.forOrigin(fields, given, mode);
    // A reload asks for all of the response, whatever is stored.
    const sent = mode === "reload" ? withoutFields(asked, VALIDATORS) : asked;
    const ask = (list: Fields) => this.#send(url, { fields: list, signal, redirect: "manual" });
    let response = await ask(sent);
    if (response.type === "opaqueredirect") return this.#followUnseen(url, sent, signal);
    const range = given.filter(([name]) => name === "range" && !hasField(fields, name));
    // Too large to be stored: only the part is wanted.
    if (range.length > 0 && response.status === 200 && (contentLength(toFields(response.headers)) ?? 0) > maxBodySize) {
      void response.body?.cancel().catch(() => {});
      response = await ask([...sent, ...range]);
    }
    return this.#forwarded(response, (head) => {
      if (hasDefaults(options)) addDefaults(head, response.status, options);
    });
  }

  preset(): Fields {
    return this.#origin.selecting.preset;
  }

  signal(): AbortSignal | undefined {
    return this.#parts.signal;
  }

  /** Sends what the cache has no part in as the caller gave it, with redirects as the caller wants them. */
  async #forwardUnchanged(): Promise<Forwarded> {
    const { input, init, url, method, redirects, redirect, headers } = this.#call;
    const { signal = null } = this.#parts;
    const response =
      redirects === 0
        ? await this.#origin.send(input, init)
        : await this.#send(url, { fields: toFields(headers), signal, redirect });
    if (!response.redirected) return this.#forwarded(response);
    this.reached = response;
    if (!isSafe(method)) await this.#parts.invalidate(response.url);
    // It is the response of another URL.
    return { ...(await this.#forwarded(response)), failed: true };
  }

  /** A browser hides where a redirect leads. */
  async #followUnseen(url: string, fields: Fields, signal: AbortSignal): Promise<Forwarded> {
    const { redirect } = this.#call;
    const response = await this.#send(url, { fields, signal, redirect });
    this.reached = response;
    return this.#forwarded(response, (head) => head.set("cache-control", "no-store"));
  }

  #send(
    url: string,
    { fields, signal, redirect }: { fields: Fields; signal: AbortSignal | null; redirect: Call["redirect"] },
  ): Promise<Response> {
    const { input, method } = this.#call;
    const request = requestOf(input);
    const isSame = request?.url === url;
    const { cache, ...others } = isSame ? this.#call.init : inheritedInit(this.#call);
    const lines = fields.map(([name, value]): [string, string] => [name, value]);
    const own = { method, headers: lines, signal, redirect };
    // Workers refuse most modes.
    const mode = cache === undefined || keepsRequestsApart() ? {} : { cache };
    return this.#origin.send(isSame ? request : url, { ...others, ...mode, ...own });
  }

  /**
   * The response as its body is: decoded. Its validators stay, as they are the origin's; fetch shows them with the decoded
   * body, too.
   */
  #forwarded(response: Response, change?: (headers: Headers) => void): Forwarded {
    const preset = this.preset();
    const { status, statusText, body } = response;
    if (status < 200 || status > 599) return { response, failed: false, preset };
    const headers = new Headers(response.headers);
    const codings = listMembers(headers.get("content-encoding") ?? "");
    if (codings.length > 0) headers.delete("content-length");
    if (codings.every((coding) => DECODED.has(coding.toLowerCase()))) {
      headers.delete("content-encoding");
      // What is stored is not coded, whatever the origin chooses a coding by.
      const vary = listMembers(headers.get("vary") ?? "").filter((name) => name.toLowerCase() !== "accept-encoding");
      headers.delete("vary");
      if (vary.length > 0) headers.set("vary", vary.join(", "));
    }
    change?.(headers);
    return { response: new Response(body, { status, statusText, headers }), failed: false, preset };
  }
}
