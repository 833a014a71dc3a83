import { type Fields, fieldValue, hasField, hasOpenQuote, isToken, listMembers } from "./message.js";

/** One occurrence of a directive. */
export interface Directive {
  /** In lower case. */
  readonly name: string;
  /** Unquoted. */
  readonly argument: string | undefined;
  /** As RFC 9111 §5.2 writes it. What is not may still restrict, but never permit. */
  readonly wellFormed: boolean;
}

export interface Directives {
  readonly all: readonly Directive[];
  /** A quoted string never ends: any directive might be part of it. */
  readonly unreadable: boolean;
}

/** The largest number of seconds that a cache has to distinguish from infinity. RFC 9111 §1.2.2. */
export const MAX_SECONDS = 2 ** 31;

const DIRECTIVE = /^([^=\s"]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"=;]+)))?$/;

/** Directives of a Cache-Control value (its lines joined), in order. Never throws. */
export function parseCacheControl(value: string): Directives {
  return { all: listMembers(value).flatMap(parseMember), unreadable: hasOpenQuote(value) };
}

function parseMember(member: string): Directive[] {
  const match = DIRECTIVE.exec(member);
  if (match?.[1] !== undefined && isToken(match[1])) {
    const quoted = match[2]?.replace(/\\(.)/g, "$1");
    return [{ name: match[1].toLowerCase(), argument: quoted ?? match[3], wellFormed: true }];
  }
  // `private; max-age=60` is a common mistake, and its author meant `private`.
  return member
    .split(/[;\s"]+/)
    .map((word) => word.split("=", 1)[0]?.toLowerCase() ?? "")
    .filter((name) => name !== "")
    .map((name) => ({ name, argument: undefined, wellFormed: false }));
}

export function isPresent(directives: Directives, name: string): boolean {
  return directives.all.some((each) => each.name === name);
}

/** Present as it should be: for directives that permit something. */
export function isGranted(directives: Directives, name: string): boolean {
  return directives.all.some((each) => each.name === name && each.wellFormed && each.argument === undefined);
}

/**
 * A directive's delta-seconds, in seconds: `undefined` when it is absent, `"invalid"` when it is none,
 * or when two of a name contradict each other (RFC 9111 §4.2.1).
 */
export function seconds(directives: Directives, name: string): number | "invalid" | undefined {
  const found = directives.all.filter((each) => each.name === name).map((each) => deltaSeconds(each.argument));
  if (found.length === 0) return undefined;
  const [first] = found;
  return first === undefined || found.some((other) => other !== first) ? "invalid" : first;
}

/** RFC 9111 §1.2.2: digits, and nothing else. What is too large to represent is infinite, not invalid. */
export function deltaSeconds(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  return Math.min(Number(text), MAX_SECONDS);
}

/**
 * The field names that limit a directive, as in `private="set-cookie"`: `false` when the directive is absent,
 * `true` when it applies to the whole response, as it does where any of its arguments names no field.
 */
export function limitedTo(directives: Directives, name: string): boolean | readonly string[] {
  const found = directives.all.filter((each) => each.name === name);
  if (found.length === 0) return false;
  const names = found.map((each) => (each.wellFormed ? fieldNames(each.argument) : undefined));
  return names.every((each) => each !== undefined) ? [...new Set(names.flat())] : true;
}

/** A list of field names in lower case; `undefined` when it is empty, or when one of them is none. */
export function fieldNames(text: string | undefined): string[] | undefined {
  const names = listMembers(text ?? "").map((name) => name.toLowerCase());
  return names.length > 0 && names.every(isToken) ? names : undefined;
}

const DURATIONS: ReadonlySet<string> = new Set(["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"]);
/** Directives that permit something: what one of two does not permit, both don't. */
const PERMISSIONS: ReadonlySet<string> = new Set(["public", "immutable", "must-understand"]);

/**
 * One Cache-Control value for what two of them say of a response, for caches further on: every restriction of either, the
 * shorter of two durations, and what both permit.
 */
export function mergeCacheControl(one: string, other: string): string {
  const both = [parseCacheControl(one), parseCacheControl(other)] as const;
  if (both.some(({ unreadable }) => unreadable)) return "no-store";
  const names = new Set(both.flatMap(({ all }) => all.map(({ name }) => name)));
  const merged = [...names].filter((name) => !PERMISSIONS.has(name) || both.every((each) => isPresent(each, name)));
  return merged.map((name) => mergeDirective(name, both)).join(", ");
}

function mergeDirective(name: string, both: readonly Directives[]): string {
  const said = both.map((each) => seconds(each, name) ?? (name === "s-maxage" ? seconds(each, "max-age") : undefined));
  const found = said.filter((each) => each !== undefined);
  if (DURATIONS.has(name)) return `${name}=${Math.min(...found.map((each) => (each === "invalid" ? 0 : each)))}`;
  const limits = both.map((each) => limitedTo(each, name)).filter((limit) => limit !== false);
  const fields = limits.every((limit) => limit !== true) ? limits.flat() : [];
  return fields.length > 0 ? `${name}="${[...new Set(fields)].join(", ")}"` : name;
}

/** What a client asks of caches. RFC 9111 §5.2.1; times in milliseconds. */
export interface RequestDirectives {
  readonly noStore: boolean;
  readonly noCache: boolean;
  readonly onlyIfCached: boolean;
  /** 0 when invalid: then only a validated response will do. */
  readonly maxAgeMs: number | undefined;
  /** `Infinity` when the client takes any stale response; `undefined` when it takes none. */
  readonly maxStaleMs: number | undefined;
  readonly minFreshMs: number | undefined;
  /** RFC 5861 §4: for this request alone. */
  readonly staleIfErrorMs: number | undefined;
}

/** A request that asks nothing of caches. */
export const NO_DIRECTIVES: RequestDirectives = {
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  maxAgeMs: undefined,
  maxStaleMs: undefined,
  minFreshMs: undefined,
  staleIfErrorMs: undefined,
};

/** `Pragma: no-cache` counts when there is no Cache-Control, as it was made for clients that don't know it. RFC 9111 §5.4. */
export function requestDirectives(fields: Fields): RequestDirectives {
  const value = fieldValue(fields, "cache-control");
  // As most requests come.
  if (value === undefined && !hasField(fields, "pragma")) return NO_DIRECTIVES;
  const directives = parseCacheControl(value ?? "");
  const pragma = value === undefined ? parseCacheControl(fieldValue(fields, "pragma") ?? "") : undefined;
  return {
    noStore: isPresent(directives, "no-store"),
    noCache: isPresent(directives, "no-cache") || (pragma !== undefined && isPresent(pragma, "no-cache")),
    onlyIfCached: isPresent(directives, "only-if-cached"),
    maxAgeMs: toMs(seconds(directives, "max-age"), 0),
    maxStaleMs: maxStale(directives),
    minFreshMs: toMs(seconds(directives, "min-fresh"), undefined),
    staleIfErrorMs: toMs(seconds(directives, "stale-if-error"), undefined),
  };
}

function maxStale(directives: Directives): number | undefined {
  const found = directives.all.filter((each) => each.name === "max-stale" && each.wellFormed);
  if (found.length > 0 && found.every((each) => each.argument === undefined)) return Number.POSITIVE_INFINITY;
  return toMs(seconds(directives, "max-stale"), undefined);
}

function toMs<T>(value: number | "invalid" | undefined, invalid: T): number | T | undefined {
  if (value === "invalid") return invalid;
  return value === undefined ? undefined : value * 1_000;
}
