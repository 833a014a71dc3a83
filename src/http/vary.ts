import { type Fields, fieldValue, isToken, listMembers } from "./fields.js";
import { normalizeSelecting } from "./normalize.js";
import type { StoredResponse } from "./stored-response.js";

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

/** Of stored responses that all match: the one made last, and of those the one stored last. RFC 9111 §§4, 4.1. */
export function mostRecent<T extends { readonly stored: StoredResponse }>(matches: readonly T[]): T | undefined {
  const madeMs = ({ stored }: T): number => stored.responseTimeMs - stored.initialAgeMs;
  return matches.reduce<T | undefined>((best, each) => {
    if (!best) return each;
    const difference = madeMs(each) - madeMs(best) || each.stored.responseTimeMs - best.stored.responseTimeMs;
    return difference > 0 ? each : best;
  }, undefined);
}
