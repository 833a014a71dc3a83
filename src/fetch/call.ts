/** A call of fetch: what was asked for, in the terms of the Fetch standard. */
export interface Call {
  readonly input: string | URL | Request;
  readonly init: RequestInit;
  readonly method: string;
  /** Absolute, without a fragment. */
  readonly url: string;
  readonly headers: Headers;
  readonly mode: CacheMode;
  readonly redirect: "follow" | "manual" | "error";
  readonly signal: AbortSignal | undefined;
  /** Why the cache is not to be used. */
  readonly bypass: string | undefined;
  /** The number of redirects that led here. */
  readonly redirects: number;
}

/** https://fetch.spec.whatwg.org/#concept-request-cache-mode */
export type CacheMode = "default" | "no-store" | "reload" | "no-cache" | "force-cache" | "only-if-cached";

const MODES: ReadonlySet<unknown> = new Set<CacheMode>([
  "default",
  "no-store",
  "reload",
  "no-cache",
  "force-cache",
  "only-if-cached",
]);
const REDIRECTS: ReadonlySet<unknown> = new Set<Call["redirect"]>(["follow", "manual", "error"]);
/** Methods that the standard writes in upper case. https://fetch.spec.whatwg.org/#concept-method-normalize */
const NORMALISED = /^(?:delete|get|head|options|post|put)$/i;
/** Fields with which a caller validates what it has itself. https://fetch.spec.whatwg.org/#http-network-or-cache-fetch */
const CONDITIONS = ["if-modified-since", "if-none-match", "if-unmodified-since", "if-match", "if-range"];

/** @returns `undefined` for what no cache has a part in: other schemes, and arguments that fetch itself refuses */
export function readCall(input: string | URL | Request, given?: RequestInit): Call | undefined {
  const init = given ?? {};
  const request = requestOf(input);
  const url = parse(request?.url ?? String(input));
  const { body, integrity = request?.integrity } = init;
  const asked = init.method ?? request?.method ?? "GET";
  const method = NORMALISED.test(asked) ? asked.toUpperCase() : asked;
  const mode: unknown = init.cache ?? request?.cache ?? "default";
  const redirect: unknown = init.redirect ?? request?.redirect ?? "follow";
  const isRead = method === "GET" || method === "HEAD";
  if (!url || !isMode(mode) || !isRedirect(redirect) || (isRead && body != null)) return undefined;
  const headers = new Headers(init.headers ?? request?.headers);
  const validates = mode === "default" && CONDITIONS.some((name) => headers.has(name));
  return {
    input,
    init,
    method,
    url,
    headers,
    mode,
    redirect,
    signal: (init.signal === undefined ? request?.signal : init.signal) ?? undefined,
    // Only fetch can check a hash.
    bypass: integrity ? "integrity" : mode === "no-store" || validates ? "no-store" : undefined,
    redirects: 0,
  };
}

/** Looks at the shape, as an application may have a fetch with a Request of its own. */
export function requestOf(input: string | URL | Request): Request | undefined {
  return typeof input === "object" && "headers" in input ? input : undefined;
}

function parse(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  // Fetch refuses user information.
  if (!/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return undefined;
  url.hash = "";
  return url.href;
}

function isMode(value: unknown): value is CacheMode {
  return MODES.has(value);
}

function isRedirect(value: unknown): value is Call["redirect"] {
  return REDIRECTS.has(value);
}
