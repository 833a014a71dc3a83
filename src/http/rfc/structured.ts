import { parseDictionary, parseList, serializeString, serializeToken, Token } from "structured-headers";

/** A member of a dictionary: its value and type, as RFC 9651 §3.3 distinguishes them. Parameters are left out. */
export type Member =
  | { readonly type: "boolean"; readonly value: boolean }
  | { readonly type: "integer"; readonly value: number }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "token"; readonly value: string }
  | { readonly type: "other" };

const TOKEN = /^[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*$/;
const OTHER: Member = { type: "other" };

/** `undefined` when the field is not a dictionary: then it counts as absent (RFC 9651 §4.2). Never throws. */
export function parseStructuredDictionary(value: string): ReadonlyMap<string, Member> | undefined {
  const parsed = attempt(() => parseDictionary(value));
  if (!parsed) return undefined;
  const decimals = wholeDecimals(value);
  return new Map(Array.from(parsed, ([name, [bare]]) => [name, decimals.has(name) ? OTHER : toMember(bare)] as const));
}

/** The strings in a list, each once; members of another type are left out. `undefined` when it is not a list. Never throws. */
export function parseStructuredStrings(value: string): string[] | undefined {
  const parsed = attempt(() => parseList(value));
  return parsed && [...new Set(parsed.map(([bare]) => bare).filter((bare) => typeof bare === "string"))];
}

/** A name as a token where it can be one, else as a string; what a string can't hold is percent-encoded. */
export function serializeName(name: string): string {
  return TOKEN.test(name) ? serializeToken(new Token(name)) : serializeText(name);
}

/** As a string; what it can't hold is percent-encoded. */
export function serializeText(text: string): string {
  const wellFormed = text.replace(/[\ud800-\udfff]/gu, "\ufffd");
  return serializeString(wellFormed.replace(/[^\x20-\x7e]+/gu, encodeURIComponent));
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    // A field that is not what it should be counts as absent; the parser says so by throwing.
    return undefined;
  }
}

function toMember(bare: unknown): Member {
  if (typeof bare === "boolean") return { type: "boolean", value: bare };
  if (typeof bare === "string") return { type: "string", value: bare };
  if (typeof bare === "number") return Number.isInteger(bare) ? { type: "integer", value: bare } : OTHER;
  if (bare instanceof Token) return { type: "token", value: bare.toString() };
  return OTHER;
}

/** The names whose value is a decimal such as `60.0`: the parser gives the number 60, as it does for the integer. */
function wholeDecimals(value: string): ReadonlySet<string> {
  const bare = value.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  const last = new Map<string, boolean>();
  for (const match of bare.matchAll(/(?:^|,)[ \t]*([a-z*][a-z0-9_\-.*]*)(?:=-?\d+(\.\d+)?)?/g)) {
    last.set(match[1] ?? "", match[2] !== undefined);
  }
  return new Set([...last].filter(([, isDecimal]) => isDecimal).map(([name]) => name));
}
