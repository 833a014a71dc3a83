import { isForOrigin } from "./conditional.js";
import { isAnsweredFromStore, overridesMethod } from "./invalidation.js";
import {
  type Fields,
  fieldValue,
  hasControlCharacter,
  hasField,
  isListed,
  listMembers,
  type RequestHead,
  trim,
} from "./message.js";
import type { Policy } from "./policy.js";
import { hasCredentials } from "./storable.js";

/**
 * Fields that many applications believe though any client can send them: what they change is not in the key, and would be
 * stored for other clients. To be taken off (`withoutFields`) before the origin sees the request.
 */
export const UNKEYED_FIELDS: ReadonlySet<string> = new Set([
  "base-url",
  "cf-visitor",
  "cloudfront-forwarded-proto",
  "disguised-host",
  "fly-forwarded-port",
  "fly-forwarded-proto",
  "fly-forwarded-ssl",
  "forwarded",
  "front-end-https",
  "true-host",
  "was-default-hostname",
  "x-appservice-proto",
  "x-arr-ssl",
  "x-backend-host",
  "x-envoy-original-host",
  "x-envoy-original-path",
  "x-forwarded-base",
  "x-forwarded-context",
  "x-forwarded-host",
  "x-forwarded-hostname",
  "x-forwarded-https",
  "x-forwarded-method",
  "x-forwarded-path",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-proto",
  "x-forwarded-protocol",
  "x-forwarded-scheme",
  "x-forwarded-server",
  "x-forwarded-ssl",
  "x-forwarded-uri",
  "x-forwarded-url",
  "x-host",
  "x-http-host-override",
  "x-original-host",
  "x-original-method",
  "x-original-path",
  "x-original-proto",
  "x-original-uri",
  "x-original-url",
  "x-proto",
  "x-real-host",
  "x-replaced-path",
  "x-request-uri",
  "x-rewrite-uri",
  "x-rewrite-url",
  "x-scheme",
  "x-script-name",
  "x-url-scheme",
  "x-vercel-forwarded-host",
  "x-waws-unencoded-url",
]);

/** Why a request is neither answered from the store nor its response stored. */
export type Bypass = "method" | "method-override" | "body" | "cookie" | "upgrade" | "precondition" | "malformed";

/** Which requests the cache may handle. */
export interface AdmissionOptions {
  /**
   * The cookies that don't change any response, by name; a name may end in `*`. A request with any other cookie bypasses
   * the cache.
   */
  readonly cookies: readonly string[];
}

/** `undefined` when the cache may handle the request. */
export function bypassReason(
  { method, fields }: RequestHead,
  hasBody: boolean,
  { cookies }: AdmissionOptions,
): Bypass | undefined {
  if (!isAnsweredFromStore(method)) return "method";
  if (overridesMethod(fields)) return "method-override";
  if (hasBody || announcesBody(fields)) return "body";
  if (hasField(fields, "upgrade") || connectionLists(fields, "upgrade")) return "upgrade";
  if (isForOrigin(fields)) return "precondition";
  if (fields.some(([name, value]) => hasControlCharacter(name) || hasControlCharacter(value))) return "malformed";
  return cookieNames(fields).every((name) => isListed(name, cookies)) ? undefined : "cookie";
}

function announcesBody(fields: Fields): boolean {
  const length = fieldValue(fields, "content-length");
  return hasField(fields, "transfer-encoding") || (length !== undefined && length !== "0");
}

function connectionLists(fields: Fields, option: string): boolean {
  return listMembers(fieldValue(fields, "connection") ?? "").some((member) => member.toLowerCase() === option);
}

/** The names in all Cookie lines; a part without a name counts by its text. */
function cookieNames(fields: Fields): string[] {
  const lines = fields.filter(([name]) => name === "cookie").map(([, value]) => value);
  const pairs = lines.flatMap((line) => line.split(";")).map(trim);
  return pairs.filter((pair) => pair !== "").map((pair) => trim(pair.split("=", 1)[0] ?? ""));
}

/** Whether a request may wait for another's response: not with credentials, nor when its response may not be stored. */
export function mayCollapse(fields: Fields, noStore: boolean, { credentialFields }: Policy): boolean {
  return !noStore && !hasField(fields, "cookie") && !hasCredentials(fields, credentialFields);
}
