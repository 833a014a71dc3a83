import { ConfigurationError, show } from "../core/errors.js";
import { type Check, type Checks, checkOptions, isPositiveInteger } from "../core/options.js";
import type { Duration } from "../core/time.js";
import { hasControlCharacter } from "./rfc/message.js";
import { makePolicy, type Policy, type PolicyOptions, policyChecks } from "./rfc/policy.js";
import { urlPattern } from "./url-pattern.js";

/** The groups that a pattern has found in a URL, by name. A pattern's `*` has a number: `"0"` for the first one. */
export type RouteParams = Readonly<Record<string, string>>;

/** What responses of one route have of their own. They go before the options of the cache. */
export interface RouteOptions
  extends Pick<
    PolicyOptions,
    | "cacheableStatusCodes"
    | "heuristicErrors"
    | "heuristicFraction"
    | "heuristicLimit"
    | "negativeTtl"
    | "staleIfError"
    | "staleWhileRevalidate"
  > {
  /** Lifetime of responses with status 2xx, 301 or 308 that have none: seconds or a duration; `null` for none. @default `defaultTtl` */
  ttl?: Duration | null | undefined;
  /** Tags to purge the responses by, or a function that makes them of the pattern's groups. Clients don't see them. @default none */
  tags?: readonly string[] | ((params: RouteParams) => readonly string[]) | undefined;
  /** Maximum size of a body, in bytes; a larger body is passed through and not stored. @default that of the cache */
  maxBodySize?: number | undefined;
}

/** What can match URLs besides a pattern: a `URLPattern` or a `RegExp`, for the whole URL. */
export interface UrlTest {
  test(url: string): boolean;
}

/** A route in a list, of which the first that matches a URL counts. */
export interface RouteRule extends RouteOptions {
  /** A path such as `"/products/:id"`, a pattern of whole URLs such as `"https://api.example/*"`, a URLPattern or a RegExp. */
  match: string | UrlTest;
}

/** Options by pattern, or a list of rules. The first match counts. */
export type RouteTable = Readonly<Record<string, RouteOptions>> | readonly RouteRule[];

/** How to store a response: the options of its route, or those of the cache. */
export interface StorageRules {
  readonly policy: Policy;
  readonly maxBodySize: number;
}

/** Zero, or a number of bytes. */
export const isSize: Check = (value, name) => (value === 0 ? undefined : isPositiveInteger(value, name));

const isTag = (tag: unknown): boolean =>
  typeof tag === "string" && tag.trim() === tag && tag !== "" && !tag.includes(",") && !hasControlCharacter(tag);

const isTags: Check = (value) =>
  typeof value === "function" || (Array.isArray(value) && value.every(isTag))
    ? undefined
    : "a list of tags without commas, or a function that returns one";

export const routeChecks: Checks<RouteOptions> = /* @__PURE__ */ (() => ({
  ttl: policyChecks.defaultTtl,
  tags: isTags,
  maxBodySize: isSize,
  cacheableStatusCodes: policyChecks.cacheableStatusCodes,
  heuristicErrors: policyChecks.heuristicErrors,
  heuristicFraction: policyChecks.heuristicFraction,
  heuristicLimit: policyChecks.heuristicLimit,
  negativeTtl: policyChecks.negativeTtl,
  staleIfError: policyChecks.staleIfError,
  staleWhileRevalidate: policyChecks.staleWhileRevalidate,
}))();

interface Rule {
  readonly options: RouteOptions;
  /** The groups of a URL that matches. */
  match(url: string): RouteParams | undefined;
}

/** The options of each route, and those of the cache for all others. */
export class Routes {
  readonly #base: PolicyOptions;
  readonly #own: StorageRules;
  readonly #rules: readonly Rule[];
  /** By a route's options, and those of a response. */
  readonly #made = new WeakMap<RouteOptions, WeakMap<RouteOptions, StorageRules>>();

  /** @throws {ConfigurationError} naming the route and the option that is wrong */
  constructor(table: RouteTable, base: PolicyOptions, own: StorageRules) {
    this.#base = base;
    this.#own = own;
    this.#rules = toRules(table);
    for (const { options } of this.#rules) this.#make(options, NONE);
  }

  /** @param given by the host for this response alone; they go before those of its route */
  rulesOf(url: string, given: RouteOptions | undefined): StorageRules {
    const route = this.#find(url)?.rule.options;
    return route || given ? this.#make(route ?? NONE, given ?? NONE) : this.#own;
  }

  /** The tags that the routes give to the response of a URL. @throws TypeError on tags that no response can have */
  tagsOf(url: string, given: RouteOptions | undefined): readonly string[] {
    const found = this.#find(url);
    const tags = given?.tags ?? found?.rule.options.tags ?? [];
    if (typeof tags !== "function") return tags;
    const made: unknown = tags(found?.params ?? {});
    if (!Array.isArray(made) || !made.every(isTag)) {
      throw new TypeError(
        `httpCache: the tags of ${url} are ${show(made)}; return a list of strings that are neither empty nor have commas`,
      );
    }
    return made;
  }

  #find(url: string): { rule: Rule; params: RouteParams } | undefined {
    for (const rule of this.#rules) {
      const params = rule.match(url);
      if (params) return { rule, params };
    }
    return undefined;
  }

  #make(route: RouteOptions, given: RouteOptions): StorageRules {
    const made = this.#made.get(route) ?? new WeakMap<RouteOptions, StorageRules>();
    this.#made.set(route, made);
    const known = made.get(given);
    if (known) return known;
    const { tags: _, ttl, maxBodySize = this.#own.maxBodySize, ...policy } = { ...defined(route), ...defined(given) };
    const own = { ...policy, ...(ttl !== undefined && { defaultTtl: ttl }) };
    const rules = { policy: makePolicy({ ...this.#base, ...own }), maxBodySize };
    made.set(given, rules);
    return rules;
  }
}

const NONE: RouteOptions = {};

/** An option that is undefined leaves what it would replace. */
function defined(options: RouteOptions): RouteOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** What a table of routes may be. */
export const isRouteTable: Check = (value) =>
  typeof value === "object" && value !== null
    ? undefined
    : 'an object of options by pattern, such as { "/products/*": { ttl: "1m" } }, or a list of rules with "match"';

function toRules(table: RouteTable): readonly Rule[] {
  const rules = isList(table)
    ? table
    : Object.entries(table).map(([match, options]) => ({ ...object(options), match }));
  return rules.map((rule, i) => {
    const { match, ...options }: RouteRule = object(rule);
    const where = typeof match === "string" ? `httpCache: route "${match}"` : `httpCache: rule ${i}`;
    checkOptions<RouteOptions>(where, options, routeChecks);
    return { options, match: matcher(match, where) };
  });
}

function isList(table: RouteTable): table is readonly RouteRule[] {
  return Array.isArray(table);
}

/** Anything else than an object is refused as options by name. */
function object<T extends object>(options: T): T {
  if (typeof options === "object" && options !== null) return options;
  throw new ConfigurationError(
    `httpCache: a route has the options ${show(options)}; give an object, such as { ttl: "1m" }`,
  );
}

function matcher(match: string | UrlTest, where: string): Rule["match"] {
  if (typeof match === "string") {
    const pattern = parsed(match, where);
    return (url) => {
      const found = pattern.exec(url);
      if (!found) return undefined;
      const { hostname, pathname, search } = found;
      return Object.fromEntries(
        [hostname, search, pathname].flatMap(({ groups }) =>
          Object.entries(groups).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
        ),
      );
    };
  }
  if (typeof match !== "object" || match === null || typeof match.test !== "function") {
    throw new ConfigurationError(
      `${where}: option "match" is ${show(match)}; give a pattern, a URLPattern or a RegExp`,
    );
  }
  if (match instanceof RegExp) {
    // With these flags a RegExp begins where its last match has ended.
    const { source, flags } = match;
    const plain = new RegExp(source, flags.replace(/[gy]/g, ""));
    return (url) => {
      const found = plain.exec(url);
      return found ? { ...found.groups } : undefined;
    };
  }
  return (url) => (match.test(url) ? {} : undefined);
}

function parsed(text: string, where: string): ReturnType<typeof urlPattern> {
  try {
    return urlPattern(text);
  } catch (cause) {
    throw new ConfigurationError(
      `${where} is no URL pattern; give a path such as "/products/:id", or a whole URL such as "https://api.example/*"`,
      { cause },
    );
  }
}
