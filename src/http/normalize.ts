import { listMembers, splitOutsideQuotes, trim } from "./fields.js";

/** Fields with one value that is not a list: a comma in it, and what surrounds the comma, belongs to the value. */
const SINGLE = new Set(["authorization", "cookie", "host", "if-modified-since", "origin", "referer", "user-agent"]);

/** Preferences with weights: neither order nor case carries meaning. RFC 9110 §12.5. */
const PREFERENCES = new Set(["accept-charset", "accept-encoding", "accept-language"]);

/**
 * The value of a selecting field in a form that is the same for values that mean the same. RFC 9111 §4.1.
 * Of an unknown field only white space around commas goes.
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
