import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import { randomText } from "../core/text.js";

/*
 * What protects the inspector in a browser: a strict policy for its page, and for each POST three checks that are independent of
 * one another: where the request comes from, its content type, and a token (OWASP: Cross-Site Request Forgery Prevention
 * Cheat Sheet, "Signed Double-Submit Cookie").
 */

const SAME_ORIGIN = "same-origin";

/** Fields of every response. */
export const FIELDS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "cross-origin-opener-policy": SAME_ORIGIN,
  "cross-origin-resource-policy": SAME_ORIGIN,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "x-robots-tag": "noindex",
};

/** The policy of the page: its own script and style, requests to its own origin, and pictures within it. */
export function pagePolicy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "img-src data:",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

/** A nonce for one response. */
export function newNonce(): string {
  return randomText(24);
}

const COOKIE = "valkey-edge-cache-inspector";
const SECURE_COOKIE = `__Secure-${COOKIE}`;
const FIELD = "x-csrf-token";
const SECRET = /^[\w+/]{32}$/;

/**
 * A token for one page. The browser's secret is in a cookie that no script can read; the token proves it, and is another one
 * for each page. So a token needs no memory of the process, and any process of a fleet can check it.
 *
 * The cookie has no Path: a browser sends it for paths that begin as that of the request does (RFC 6265 §5.1.4), and
 * this request's, `…/api/info`, has the path of the mount as the browser knows it, also behind a proxy that takes it away. The
 * prefix `__Host-` would need the path "/".
 */
export async function issueToken(c: Context): Promise<string> {
  const isSecure = isHttps(c);
  const secret = secretOf(c) ?? randomText(32);
  const name = isSecure ? SECURE_COOKIE : COOKIE;
  c.header("set-cookie", `${name}=${secret}; HttpOnly; SameSite=Strict${isSecure ? "; Secure" : ""}`);
  const page = randomText(16);
  return `${page}.${await proof(secret, page)}`;
}

/** Why a POST is refused; `undefined` when it is not. */
export async function refusalOf(c: Context): Promise<string | undefined> {
  if (!isOwnOrigin(c)) return "this request comes from another origin; send it from the inspector's own page";
  const type = c.req.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") return "the field Content-Type is not application/json; send JSON";
  const secret = secretOf(c);
  const [page = "", given = ""] = (c.req.header(FIELD) ?? "").split(".");
  // Both are compared in any case, so that the time says nothing.
  const expected = await proof(secret ?? randomText(32), page);
  if (secret !== undefined && isEqual(given, expected)) return undefined;
  return "the field X-CSRF-Token and the cookie don't belong together; load the inspector's page again";
}

/**
 * Browsers say where a request comes from by Sec-Fetch-Site, if the page came over HTTPS or from localhost, and by Origin with
 * every POST. A request with neither was made by no current browser, and is refused.
 */
function isOwnOrigin(c: Context): boolean {
  const site = c.req.header("sec-fetch-site");
  const origin = c.req.header("origin");
  // A proxy may have changed the host: then only the browser knows whether the origin is the same.
  if (site !== undefined) return site === SAME_ORIGIN;
  if (origin === undefined || !URL.canParse(origin)) return false;
  return new URL(origin).host === (c.req.header("host") ?? new URL(c.req.url).host).toLowerCase();
}

/** A proxy that ends TLS says so, and a client that lies about it only loses its own cookie. */
function isHttps(c: Context): boolean {
  const forwarded = c.req.header("x-forwarded-proto")?.split(",", 1)[0]?.trim().toLowerCase();
  return c.req.url.startsWith("https:") || forwarded === "https";
}

function secretOf(c: Context): string | undefined {
  const secret = getCookie(c, SECURE_COOKIE) ?? getCookie(c, COOKIE);
  return secret !== undefined && SECRET.test(secret) ? secret : undefined;
}

async function proof(secret: string, page: string): Promise<string> {
  const encoder = new TextEncoder();
  const hash = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), hash, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, encoder.encode(page));
  return btoa(String.fromCharCode(...new Uint8Array(signature)));
}

/** Takes the same time wherever they differ. */
function isEqual(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < expected.length; i++) difference |= given.charCodeAt(i) ^ expected.charCodeAt(i);
  return difference === 0;
}
