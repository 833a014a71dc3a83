import { type Call, requestOf } from "./call.js";

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const MOST_REDIRECTS = 20;
/** What one origin must not see of what was meant for another. */
const FOR_ONE_ORIGIN = ["authorization", "cookie", "host", "proxy-authorization"];

/**
 * The call that a redirect leads to; `undefined` for what is none, or is the caller's to follow. Only for GET and HEAD, whose
 * method no redirect changes. https://fetch.spec.whatwg.org/#http-redirect-fetch
 * @param secrets further fields that only one origin may see
 * @throws TypeError where fetch has a network error
 */
export function redirectedCall(
  call: Call,
  { status, location }: { readonly status: number; readonly location: string | null | undefined },
  secrets: readonly string[],
): Call | undefined {
  if (!REDIRECTS.has(status) || location == null || call.redirect === "manual") return undefined;
  const fail = (why: string): never => {
    throw new TypeError(`cachedFetch: ${call.url} redirects ${why}`);
  };
  if (call.redirect === "error") fail('somewhere else, and the option redirect is "error"');
  if (!URL.canParse(location, call.url)) fail("to an invalid URL");
  if (call.redirects >= MOST_REDIRECTS) fail(`after ${MOST_REDIRECTS} other redirects`);
  const url = new URL(location, call.url);
  if (!/^https?:$/.test(url.protocol)) fail(`to the scheme ${url.protocol}`);
  if (url.username !== "" || url.password !== "") fail("to a URL with user information");
  const headers = new Headers(call.headers);
  if (url.origin !== new URL(call.url).origin) for (const name of [...FOR_ONE_ORIGIN, ...secrets]) headers.delete(name);
  url.hash = "";
  return { ...call, url: url.href, headers, redirects: call.redirects + 1 };
}

/** Members of a Request that a request to another URL inherits, where they are not what they are by default. */
const INHERITED: Readonly<Record<string, unknown>> = {
  cf: undefined,
  credentials: "same-origin",
  integrity: "",
  keepalive: false,
  mode: "cors",
  referrer: "about:client",
  referrerPolicy: "",
};

/** What a call says besides URL, method and header fields, for a request to another URL. */
export function inheritedInit({ input, init }: Call): RequestInit {
  const request = requestOf(input);
  if (!request) return init;
  const members = Object.entries(INHERITED).flatMap(([name, standard]) => {
    const value: unknown = Reflect.get(request, name);
    return value === undefined || value === standard || value === "navigate" ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(members), ...init };
}
