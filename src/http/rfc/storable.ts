import { formatHttpDate, initialAgeMs } from "./age.js";
import { requestDirectives } from "./cache-control.js";
import { freshnessLifetime, type Lifetime } from "./freshness.js";
import { overridesMethod } from "./invalidation.js";
import {
  type Fields,
  fieldValue,
  hasControlCharacter,
  hasField,
  type RequestHead,
  type ResponseHead,
  type Timing,
  trim,
} from "./message.js";
import type { Policy } from "./policy.js";
import { isWantedPart } from "./range.js";
import { type CachePolicy, cachePolicy, type ResponseDirectives } from "./response-policy.js";
import { isAboutOneRequest, isError, isFinal, isUnderstood } from "./statuses.js";
import { fieldsToStore, type StoredResponse, type Validators } from "./stored-response.js";
import { varyNames } from "./vary.js";

/** Why a response is not stored. */
export type NotStored =
  /** Its request's method is not GET, nor a POST whose response stands for the same URL. */
  | "method"
  /** It is interim, partial, about one request alone, not to be stored by configuration, or not understood where it must be. */
  | "status"
  | "no-store"
  | "private"
  /** The request was authorized, and the response doesn't say that it may be shared. */
  | "authorization"
  | "vary"
  /** A field has a control character. */
  | "malformed"
  /** A stream of events. */
  | "stream"
  /** Nothing says for how long it may be reused. */
  | "no-lifetime"
  /** It sets a cookie, and its lifetime would be a guess. */
  | "set-cookie"
  /** It is stale from the start, and can neither be validated nor served stale. */
  | "useless";

/** Whether a response may be stored: what to keep of it, or why not. */
export type Storability =
  | { readonly storable: true; readonly stored: StoredResponse }
  | { readonly storable: false; readonly why: NotStored };

/** Whether a response may be stored, and what to keep of it. RFC 9111 §3. */
export function evaluateStorage(
  request: RequestHead,
  response: ResponseHead,
  timing: Timing,
  policy: Policy,
): Storability {
  const said = cachePolicy(response, policy.targetedFields);
  const lifetime = freshnessLifetime(response, said, policy, timing.responseTimeMs);
  const why =
    forbidden(request, response, said, policy) ??
    notAllowed(request, response, said, lifetime) ??
    useless(response, said.directives, lifetime.ms, initialAgeMs(response.fields, timing), policy);
  if (why) return { storable: false, why };
  return { storable: true, stored: toStored(response, said.directives, lifetime, timing, policy) };
}

function forbidden(
  request: RequestHead,
  response: ResponseHead,
  { directives, sharesAuthorized }: CachePolicy,
  policy: Policy,
): NotStored | undefined {
  const { status, fields } = response;
  if (request.method !== "GET" && request.method !== "POST") return "method";
  if (!isFinal(status) || isAboutOneRequest(status) || policy.statuses?.has(status) === false) return "status";
  if (status === 206 && !isWantedPart(request.fields, fields)) return "status";
  if (directives.mustUnderstand && !isUnderstood(status)) return "status";
  if (directives.noStore && !directives.mustUnderstand) return "no-store";
  if (requestDirectives(request.fields).noStore) return "no-store";
  if (directives.private === true) return "private";
  if (hasCredentials(request.fields, policy.credentialFields) && !sharesAuthorized) return "authorization";
  if (selectingNames(response) === "*") return "vary";
  if (fields.some(([name, value]) => hasControlCharacter(name) || hasControlCharacter(value))) return "malformed";
  if (/^text\/event-stream(?:$|[\s;])/i.test(fieldValue(fields, "content-type") ?? "")) return "stream";
  return undefined;
}

/** Whether a request has credentials that RFC 9111 §3.5 is about. Cookies have rules of their own. */
export function hasCredentials(fields: Fields, credentialFields: readonly string[]): boolean {
  return credentialFields.some((name) => hasField(fields, name));
}

/** The request fields that a response was chosen by: as it says, middleware outside included; and Range, for a part. */
function selectingNames({ status, fields, preset = [] }: ResponseHead): readonly string[] | "*" {
  return varyNames([...fields, ...preset, ...(status === 206 ? BY_RANGE : [])]);
}

const BY_RANGE: Fields = [["vary", "range"]];

function notAllowed(
  request: RequestHead,
  { status, fields, preset = [] }: ResponseHead,
  { directives }: CachePolicy,
  lifetime: Lifetime,
): NotStored | undefined {
  // A response to POST stands for later GETs when it says so by Content-Location. RFC 9110 §9.3.3.
  if (request.method === "POST") {
    const isPlain = !hasField(request.fields, "cookie") && !overridesMethod(request.fields);
    if (!isPlain || lifetime.from !== "explicit" || status !== 200 || !isContentOf(request.url, fields))
      return "method";
  }
  if ((hasField(fields, "set-cookie") || hasField(preset, "set-cookie")) && lifetime.from !== "explicit")
    return "set-cookie";
  const asked = directives.public || directives.noCache === true;
  return lifetime.from === "none" && (isError(status) || !asked) ? "no-lifetime" : undefined;
}

function isContentOf(url: string, fields: Fields): boolean {
  const location = fieldValue(fields, "content-location");
  if (location === undefined || !URL.canParse(location, url)) return false;
  return new URL(location, url).href === new URL(url).href;
}

function useless(
  response: ResponseHead,
  directives: ResponseDirectives,
  lifetimeMs: number,
  ageMs: number,
  policy: Policy,
): NotStored | undefined {
  const isFresh = directives.noCache !== true && lifetimeMs > ageMs;
  if (isFresh || canBeValidated(response)) return undefined;
  if (directives.noCache === true || forbidsStale(directives)) return "useless";
  const servedStale = directives.staleWhileRevalidateMs ?? policy.staleWhileRevalidateMs;
  const servedOnError = directives.staleIfErrorMs ?? policy.staleIfErrorMs;
  // One that had a lifetime and came too late may be asked for by `max-stale`, or make up for an origin that is gone.
  const isWanted = lifetimeMs > 0 && (policy.requestDirectives || policy.staleIfUnreachable);
  return isWanted || servedStale + servedOnError > 0 ? undefined : "useless";
}

/** Conditions are evaluated only where the answer would be a success without them. RFC 9110 §13.2.1. */
function canBeValidated({ status, fields }: ResponseHead): boolean {
  const { etag, lastModified } = validatorsOf(fields);
  return status >= 200 && status < 300 && (etag !== undefined || lastModified !== undefined);
}

/** The validators of a response, without looking whether they are any good. */
export function validatorsOf(fields: Fields): Validators {
  return { etag: nonEmpty(fieldValue(fields, "etag")), lastModified: nonEmpty(fieldValue(fields, "last-modified")) };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || trim(text) === "" ? undefined : text;
}

function forbidsStale(directives: ResponseDirectives): boolean {
  return directives.mustRevalidate || directives.proxyRevalidate || directives.sMaxageMs !== undefined;
}

function toStored(
  response: ResponseHead,
  directives: ResponseDirectives,
  lifetime: Lifetime,
  timing: Timing,
  policy: Policy,
): StoredResponse {
  const { status, fields } = response;
  const kept = fieldsToStore(fields, directives);
  const vary = selectingNames(response);
  return {
    status,
    // A response without Date gets that of its arrival. RFC 9110 §6.6.1.
    fields: hasField(kept, "date") ? kept : [...kept, ["date", formatHttpDate(timing.responseTimeMs)]],
    responseTimeMs: timing.responseTimeMs,
    initialAgeMs: initialAgeMs(fields, timing),
    lifetimeMs: lifetime.ms,
    staleWhileRevalidateMs: directives.staleWhileRevalidateMs ?? policy.staleWhileRevalidateMs,
    staleIfErrorMs: directives.staleIfErrorMs ?? (policy.staleIfErrorMs || undefined),
    alwaysValidate: directives.noCache === true,
    neverStale: forbidsStale(directives),
    immutable: directives.immutable,
    vary: vary === "*" ? [] : vary,
  };
}
