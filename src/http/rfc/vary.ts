import {
  type Fields,
  fieldValue,
  isToken,
  listMembers,
  splitOutsideQuotes,
  trim,
  withField,
  withoutFields,
} from "./message.js";
import type { StoredResponse } from "./stored-response.js";

/** Fields with one value that is not a list: a comma in it, and what surrounds the comma, belongs to the value. */
const SINGLE = new Set(["authorization", "cookie", "host", "if-modified-since", "origin", "referer", "user-agent"]);

/** Preferences with weights: neither order nor case carries meaning. RFC 9110 §12.5. */
const PREFERENCES = new Set(["accept-charset", "accept-encoding", "accept-language"]);

/**
 * The value of a selecting field in a form that is the same for values that mean the same. RFC 9111 §4.1.
 * For an unknown field only white space around commas is removed.
 */
export function normalizeSelecting(name: string, value: string): string {
  if (SINGLE.has(name)) return value;
  if (PREFERENCES.has(name)) return listMembers(value).map(normalizePreference).sort().join(",");
  return splitOutsideQuotes(value).join(",");
}

function normalizePreference(member: string): string {
  const { range, weight } = parsePreference(member);
  return weight === 1 ? range : `${range};q=${weight}`;
}

interface Preference {
  /** In lower case. */
  readonly range: string;
  /** From 0, not acceptable, to 1. */
  readonly weight: number;
}

function parsePreference(member: string): Preference {
  const [range = "", ...parameters] = member.toLowerCase().split(";").map(trim);
  const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
  return {
    range,
    weight: weight !== undefined && /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 1,
  };
}

/**
 * The content coding to ask the origin for: of those configured the one that the client likes most, in order of
 * configuration among equals; `"identity"` when it accepts none of them. RFC 9110 §12.5.3.
 */
export function chooseEncoding(accepted: string, configured: readonly string[]): string {
  const preferences = listMembers(accepted).map(parsePreference);
  const weigh = (coding: string): number =>
    (
      preferences.find(({ range }) => range === coding || range === `x-${coding}`) ??
      preferences.find(({ range }) => range === "*")
    )?.weight ?? 0;
  return best(configured, weigh) ?? "identity";
}

/**
 * The language to ask the origin for: of those configured the one that the client likes most, in order of configuration
 * among equals; `undefined` when it accepts none of them. A range matches a tag that begins with it, or that it begins with
 * (RFC 4647 §§3.3.1, 3.4).
 */
export function chooseLanguage(accepted: string, configured: readonly string[]): string | undefined {
  const preferences = listMembers(accepted).map(parsePreference);
  const weigh = (tag: string): number => {
    const matching = preferences.filter(({ range }) => range !== "*" && overlaps(range, tag.toLowerCase()));
    const exact = matching.sort((a, b) => b.range.length - a.range.length)[0];
    return (exact ?? preferences.find(({ range }) => range === "*"))?.weight ?? 0;
  };
  return best(configured, weigh);
}

function overlaps(range: string, tag: string): boolean {
  return `${tag}-`.startsWith(`${range}-`) || `${range}-`.startsWith(`${tag}-`);
}

function best(configured: readonly string[], weigh: (value: string) => number): string | undefined {
  let found: { value: string; weight: number } | undefined;
  for (const value of configured) {
    const weight = weigh(value);
    if (weight > (found?.weight ?? 0)) found = { value, weight };
  }
  return found?.value;
}

/** What the origin can answer in; an empty list leaves the client's field as it is. */
export interface Negotiation {
  /** Content codings that the origin makes, the preferred one first. */
  readonly encodings: readonly string[];
  /** Languages that the origin has, the preferred one first. */
  readonly languages: readonly string[];
}

/**
 * A request whose Accept-Encoding and Accept-Language name one configured value each, so that few variants stand for
 * all clients. Both the store and the origin must see the result: a response that depends on more would be stored for other clients.
 */
export function narrow(request: Fields, { encodings, languages }: Negotiation): Fields {
  return narrowLanguage(narrowEncoding(request, encodings), languages);
}

function narrowEncoding(request: Fields, encodings: readonly string[]): Fields {
  const accepted = fieldValue(request, "accept-encoding");
  if (accepted === undefined || encodings.length === 0) return request;
  return withField(request, "accept-encoding", chooseEncoding(accepted, encodings));
}

function narrowLanguage(request: Fields, languages: readonly string[]): Fields {
  const accepted = fieldValue(request, "accept-language");
  if (accepted === undefined || languages.length === 0) return request;
  const language = chooseLanguage(accepted, languages);
  if (language !== undefined) return withField(request, "accept-language", language);
  return withoutFields(request, new Set(["accept-language"]));
}

/**
 * The request fields that Vary names, in lower case, sorted, each once. `"*"`, for a response that matches no other request,
 * when any member on any line is `*`, or none of HTTP's field names. RFC 9111 §4.1.
 */
export function varyNames(fields: Fields): readonly string[] | "*" {
  const names = listMembers(fieldValue(fields, "vary") ?? "").map((name) => name.toLowerCase());
  if (names.some((name) => name === "*" || !isToken(name))) return "*";
  return [...new Set(names)].sort();
}

/**
 * The values of the named fields in a request as one text: two requests match exactly when their texts are equal.
 * An absent field differs from an empty one, and no value can look like the end of itself.
 */
export function selector(names: readonly string[], request: Fields): string {
  return names.map((name) => part(name, fieldValue(request, name))).join("");
}

function part(name: string, value: string | undefined): string {
  if (value === undefined) return `${name.length}:${name}-`;
  const normal = normalizeSelecting(name, value);
  return `${name.length}:${name}=${normal.length}:${normal}`;
}

/** The newest of stored responses that all match, and of several the one stored last. RFC 9111 §§4, 4.1. */
export function mostRecent<T extends { readonly stored: StoredResponse }>(matches: readonly T[]): T | undefined {
  const madeMs = ({ stored }: T): number => stored.responseTimeMs - stored.initialAgeMs;
  return matches.reduce<T | undefined>((best, each) => {
    if (!best) return each;
    const difference = madeMs(each) - madeMs(best) || each.stored.responseTimeMs - best.stored.responseTimeMs;
    return difference > 0 ? each : best;
  }, undefined);
}
