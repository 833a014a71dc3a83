import type { Context, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import type { Cache } from "../../src/index.js";
import type { HonoSiteInit } from "../adapters/hono.js";
import {
  type Attack,
  type Got,
  type Opened,
  type Outside,
  SHOP,
  type Shown as ShownByHost,
  type SiteOptions,
} from "../adapters/host.js";

/*
 * The law: what is stored shows nothing of the target, of credentials, or of the fields that the cache keeps from handlers,
 * except what is in its key, what its Vary names, and what the response itself permits to be shared (RFC 9111 §3.5).
 *
 * A handler shows all that it sees of these. Each request carries a mark of its own in every value that nobody else may see.
 * So no response may show a mark of another request, and where values come from a small pool, so that requests share
 * responses, the ones that it shows must be this request's.
 */

export const OTHER = "other.example";
/** Fields that the cache keeps from handlers, of all kinds. */
const KEPT = ["x-forwarded-host", "x-forwarded-proto", "x-original-url", "x-rewrite-url", "forwarded", "x-host"];
const CONDITIONS = ["if-none-match", "if-modified-since", "range"];

/** How the handler answers at one of its runs. */
export interface Says {
  readonly control: string;
  readonly vary: readonly string[];
  readonly status: 200 | 404 | 500;
  /** Whether it compares validators. */
  readonly conditional: boolean;
  readonly setsCookie: boolean;
  readonly streams: boolean;
}

/** Middleware in front of the handler; `cache` is the one under test. */
export type Layer = "cache" | "before" | "after" | "cors" | "etag" | "tenant";

export interface Site {
  readonly options: SiteOptions;
  /** Whether Hono may be asked again. */
  readonly hasApp: boolean;
  /** From the outermost to the innermost. Hosts other than Hono have `before` and `tenant` alone, where they have middleware. */
  readonly layers: readonly Layer[];
  readonly tenantField: string;
  /** Whether directives come in CDN-Cache-Control, beside a Cache-Control that says something else. */
  readonly isTargeted: boolean;
  readonly says: readonly Says[];
}

/** A request, in words: each value is made of it and of the request's number. */
export interface Ask {
  readonly method: "GET" | "HEAD" | "POST";
  readonly path: string;
  readonly host: string;
  readonly query: readonly string[];
  readonly hasFragment: boolean;
  /** Names of fields that are sent with a mark. */
  readonly marked: readonly string[];
  /** Fields with a value of a small pool. */
  readonly pooled: Readonly<Record<string, string>>;
}

/** What a handler saw, by name. */
type Seen = Record<string, string | null>;

interface Shown {
  readonly said: string;
  readonly seen: Seen;
}

const MARK = /m\d+x/g;

/** A request as it is sent. */
export function toAttack({ method, path, host, query, hasFragment, marked, pooled }: Ask, mark: string): Attack {
  const parts = query.map((part) => part.replaceAll("MARK", mark));
  const target = `${path}${parts.length > 0 ? `?${parts.join("&")}` : ""}${hasFragment ? `#${mark}` : ""}`;
  const fields: Record<string, string> = {};
  for (const name of marked) fields[name] = markedValue(name, mark);
  for (const [name, value] of Object.entries(pooled)) fields[name] = value.replaceAll("MARK", mark);
  return { method, target, host, fields, ...(method === "POST" && { body: "x" }) };
}

function markedValue(name: string, mark: string): string {
  if (name === "cookie") return `session=${mark}`;
  if (name === "if-none-match") return `"${mark}"`;
  if (name === "range") return `bytes=0-1, ${mark}`;
  return mark;
}

/** What is right for a request to see of its own target. */
class Expected {
  /** Without a fragment. */
  readonly urls: ReadonlySet<string>;
  readonly hosts: ReadonlySet<string>;
  readonly schemes: ReadonlySet<string>;
  /** The path and query as they were sent. */
  readonly target: string;
  readonly #fields: ReadonlyMap<string, string>;

  constructor(attack: Attack, { trustForwarded, query }: SiteOptions) {
    const { host = SHOP, target = "/", fields = {} } = attack;
    this.target = target.replace(/#.*$/s, "");
    this.#fields = new Map(Object.entries(fields as Record<string, string>));
    const sent = new URL(`http://${host}${target}`);
    sent.hash = "";
    const trust =
      trustForwarded && "fields" in trustForwarded ? trustForwarded : { fields: trustForwarded ?? [], hops: 1 };
    const last = (name: string): string | undefined => {
      const values = this.#fields
        .get(name)
        ?.split(",")
        .map((value) => value.trim());
      return values?.[Math.max(0, values.length - (trust.hops ?? 1))];
    };
    const scheme = (trust.fields.includes("proto") && last("x-forwarded-proto")) || "http";
    const named = (trust.fields.includes("host") && last("x-forwarded-host")) || host;
    // The port of the scheme of the connection may be gone before the proxy's scheme counts.
    const meant = [named, named === host ? sent.host : named]
      .map((one) => `${scheme}://${one}`)
      .filter((url) => URL.canParse(url))
      .map((url) => new URL(url))
      .filter(({ origin }) => origin !== "null");
    const given = sent.search.slice(1);
    const kept = given.split("&").filter((pair) => !(query?.remove && pair.startsWith("utm_")));
    if (query?.sort) kept.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0));
    const normal = query ? kept.join("&") : given;
    const path = `${sent.pathname}${normal === "" ? "" : `?${normal}`}`;
    // Of two Host lines a server makes one.
    const second = this.field("host") ?? host;
    const origins = [sent.origin, new URL(`http://${second}`).origin, ...meant.map(({ origin }) => origin)];
    // What bypasses the cache is not normalised.
    this.urls = new Set([
      sent.href,
      ...origins.flatMap((origin) => [origin + path, origin + sent.pathname + sent.search]),
    ]);
    this.hosts = new Set([host, sent.host, second, `${host}, ${second}`, ...meant.map((url) => url.host)]);
    this.schemes = new Set(["http", scheme]);
  }

  field(name: string): string | null {
    return this.#fields.get(name) ?? null;
  }
}

const nameOf = (pair: string): string => pair.split("=", 1)[0] ?? "";

/** RFC 9111 §3.5. */
const permitsSharing = (said: string): boolean => /\b(?:public|must-revalidate|s-maxage)\b/.test(said);

/** All that something sees of a request. */
interface View {
  readonly target: Readonly<Record<string, unknown>>;
  header(name: string): string | null;
}

const viewOf = ({ req }: Context): View => ({
  target: { url: req.url, raw: req.raw.url, path: req.path, query: req.query() },
  header: (name) => req.header(name) ?? null,
});

/** A site over one cache, and what breaks the law in its answers. */
export class EchoSite {
  readonly #site: Site;
  readonly #background: Promise<unknown>[] = [];
  #runs = 0;

  constructor(site: Site) {
    this.#site = site;
  }

  /** The site in front of a cache. @param isHono whether all layers are middleware of Hono */
  init(cache: Cache, cacheName: string, isHono: boolean): HonoSiteInit {
    const { options, hasApp } = this.#site;
    const init: HonoSiteInit = {
      cache,
      options: { cacheName, retryAfter: 0, ...options },
      canRefetch: hasApp,
      handler: (request, shown) => this.#answer(request, shown),
      waitUntil: (work) => void this.#background.push(work),
    };
    return isHono ? { ...init, around: this.#around() } : { ...init, outside: (request) => this.#outside(request) };
  }

  /** Waits for all that goes on after answers. */
  async settle(): Promise<void> {
    while (this.#background.length > 0) await Promise.allSettled(this.#background.splice(0));
  }

  #around(): NonNullable<HonoSiteInit["around"]> {
    const { layers: names } = this.#site;
    const layers: Record<Exclude<Layer, "cache" | "tenant">, MiddlewareHandler> = {
      before: async (c, next) => {
        c.res.headers.set("x-before", this.#shown(viewOf(c)));
        await next();
      },
      after: async (c, next) => {
        await next();
        c.header("x-after", this.#shown(viewOf(c)));
      },
      cors: cors({ origin: (origin) => origin, credentials: true }),
      etag: etag(),
    };
    const at = names.indexOf("cache");
    const made = (some: readonly Layer[], isOuter: boolean) =>
      some.flatMap((name) => {
        if (name === "cache") return [];
        return name === "tenant" ? this.#tenant(isOuter) : layers[name];
      });
    return { outer: made(names.slice(0, at), true), inner: made(names.slice(at), false) };
  }

  /** Says in Vary what it goes by: outside of the cache before that asks for what is stored. */
  #tenant(isOuter: boolean): MiddlewareHandler {
    const { tenantField } = this.#site;
    return async (c, next) => {
      // The key has the host, and tells spellings of it apart.
      const vary = (): void => {
        if (tenantField !== "host") c.header("vary", tenantField, { append: true });
      };
      if (isOuter) vary();
      c.set("kept", c.req.header(tenantField));
      await next();
      // A response that is made without the context would lose the field.
      if (!isOuter) vary();
    };
  }

  #outside({ url, headers }: Request): Outside {
    const { layers, tenantField } = this.#site;
    const before = this.#shown({ target: { url }, header: (name) => headers.get(name) });
    const kept = layers.includes("tenant") ? headers.get(tenantField) : null;
    return {
      fields: {
        ...(layers.includes("before") && { "x-before": before }),
        ...(layers.includes("tenant") && tenantField !== "host" && { vary: tenantField }),
      },
      ...(kept !== null && { kept }),
    };
  }

  #answer(request: Request, shown: ShownByHost): Response {
    const { says, isTargeted } = this.#site;
    const known = says.findIndex((_says, i) => request.headers.get("if-none-match") === `"e${i}"`);
    const run = this.#runs++ % says.length;
    // Of one representation there is one Vary, also in a 304.
    const i = known >= 0 && says[known]?.conditional ? known : run;
    const { control, status, conditional, setsCookie, streams } = says[run] as Says;
    const { vary } = says[i] as Says;
    const view = { target: shown.target(), header: (name: string) => shown.values(name)[0] ?? null };
    const look = (): string =>
      this.#shown({ ...view, target: shown.target() }, { control, vary, tenant: shown.kept ?? null });
    const text = look();
    const headers = new Headers({ "content-type": "text/plain", etag: `"e${i}"`, "x-seen": text });
    if (isTargeted) headers.set("cdn-cache-control", control);
    headers.set("cache-control", isTargeted ? "public, max-age=60" : control);
    for (const name of vary) headers.append("vary", name);
    if (request.method === "POST") headers.set("content-location", shown.path);
    if (setsCookie) headers.set("set-cookie", `seen=${encodeURIComponent(view.header("authorization") ?? "")}`);
    if (conditional && known >= 0) return new Response(null, { status: 304, headers });
    if (!streams) return new Response(text, { status, headers });
    let reads = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (reads++ > 0) return controller.close();
        controller.enqueue(new TextEncoder().encode(look()));
      },
    });
    return new Response(body, { status, headers });
  }

  /** All that something can see of what the law is about. @param handler what a handler sees and says besides */
  #shown(
    view: View,
    handler?: { readonly control: string; readonly vary: readonly string[]; readonly tenant: string | null },
  ): string {
    const { credentialFields = [], unkeyedFields = [], allowCookies = [] } = this.#site.options;
    const names = [
      ...KEPT,
      ...unkeyedFields,
      ...(handler ? [...CONDITIONS, ...handler.vary, "authorization", ...credentialFields] : []),
      // Cookies that are allowed change no response, unless Vary names them.
      ...(allowCookies.length === 0 ? ["cookie"] : []),
      "host",
    ].map((name) => name.toLowerCase());
    const seen: Seen = Object.fromEntries(names.map((name) => [name, view.header(name)]));
    const target = Object.entries(view.target).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
    const all = { ...seen, ...(handler && { tenant: handler.tenant }), ...Object.fromEntries(target) };
    return JSON.stringify({ said: handler?.control ?? "", seen: all } satisfies Shown);
  }

  /** What a response shows that its request may not see. */
  faults(attack: Attack, mark: string, { status, body, headers }: Got): string[] {
    const expected = new Expected(attack, this.#site.options);
    const faults: string[] = [];
    const texts = [body, ...["x-seen", "x-before", "x-after"].map((name) => headers.get(name) ?? "")];
    // Each text is looked at on its own; a part of one, by Range, shows nothing.
    const rest = texts.map((text) => {
      const shown = parse(text);
      if (!shown) return text;
      faults.push(...this.#faultsOf(shown, expected));
      return JSON.stringify(this.#withoutShared(shown));
    });
    const others = [...headers].filter(([name]) => !["x-seen", "x-before", "x-after"].includes(name));
    for (const found of [...rest, JSON.stringify(others)].join("\n").match(MARK) ?? []) {
      if (found !== mark) faults.push(`a mark of another request: ${found}`);
    }
    const allowed = headers.get("access-control-allow-origin");
    if (allowed !== null && allowed !== expected.field("origin")) faults.push(`another origin: ${allowed}`);
    return faults.length === 0 ? [] : [...faults, `status ${status}`, ...texts, JSON.stringify(others)];
  }

  #faultsOf({ said, seen }: Shown, expected: Expected): string[] {
    const isRight = (name: string, value: string | null): boolean => {
      const own = expected.field(name);
      if (value === null || value === own) return value !== null || !this.#mustBeSeen(name, seen, own);
      if (name === "url" || name === "raw") return expected.urls.has(withoutFragment(value));
      if (name === "method") return true;
      if (isPart(name)) {
        // A mark in a fragment is another fault.
        const part = value.replace(/#.*$/s, "");
        const sent = name === "path" ? expected.target.replace(/\?.*$/s, "") : expected.target;
        return part === sent || [...expected.urls].some((url) => partOf(url, name) === part);
      }
      if (name === "protocol") return expected.schemes.has(value);
      if (name === "hostname") return [...expected.urls].some((url) => new URL(url).hostname === value.toLowerCase());
      if (name === "tenant") {
        const { tenantField } = this.#site;
        return tenantField === "host"
          ? expected.hosts.has(value)
          : isRight(tenantField, value) || expected.field(tenantField) === value;
      }
      if (name === "host" || name === "x-forwarded-host") return expected.hosts.has(value);
      if (name === "x-forwarded-proto") return expected.schemes.has(value);
      if (name === "if-none-match") return /^"e\d+"$/.test(value);
      return this.#credentials().includes(name) && permitsSharing(said);
    };
    return Object.entries(seen)
      .filter(([name, value]) => !isRight(name, value))
      .map(([name, value]) => `${name} is ${value}, which this request has not sent`);
  }

  /** A field of a pool, which Vary names: a request that has sent it gets no response that was made without it. */
  #mustBeSeen(name: string, seen: Seen, own: string | null): boolean {
    return own !== null && name === "foo" && name in seen;
  }

  #credentials(): string[] {
    return ["authorization", ...(this.#site.options.credentialFields ?? [])].map((name) => name.toLowerCase());
  }

  #withoutShared({ said, seen }: Shown): Seen {
    if (!permitsSharing(said)) return seen;
    return Object.fromEntries(Object.entries(seen).filter(([name]) => !this.#credentials().includes(name)));
  }
}

function parse(text: string): Shown | undefined {
  try {
    return JSON.parse(text) as Shown;
  } catch {
    return undefined;
  }
}

function withoutFragment(url: string): string {
  const parsed = new URL(url);
  parsed.hash = "";
  return parsed.href;
}

const isPart = (name: string): name is "originForm" | "path" | "query" =>
  ["originForm", "path", "query"].includes(name);

function partOf(url: string, name: "originForm" | "path" | "query"): string {
  const { pathname, search, searchParams } = new URL(url);
  if (name === "originForm") return pathname + search;
  return name === "path" ? pathname : JSON.stringify(Object.fromEntries(searchParams));
}

/** A host to open sites with, and whether it is Hono. */
export type Through =
  | { readonly isHono: true; readonly open: (site: HonoSiteInit) => Promise<Opened> }
  | { readonly isHono: false; readonly open: (site: Omit<HonoSiteInit, "around" | "canRefetch">) => Promise<Opened> };

/** Sends groups of requests, those of one group at the same time. @returns what breaks the law, and how many hits there were */
export async function play(
  site: Site,
  groups: readonly (readonly Ask[])[],
  { cache, cacheName, through }: { cache: Cache; cacheName: string; through: Through },
): Promise<{ faults: string[]; hits: number }> {
  const echo = new EchoSite(site);
  await using opened = await through.open(echo.init(cache, cacheName, through.isHono));
  const faults: string[] = [];
  let [count, hits] = [0, 0];
  for (const group of groups) {
    const answers = group.map(async (ask) => {
      const mark = `m${++count}x`;
      const attack = toAttack(ask, mark);
      const got = await opened.send(attack);
      if (got.how.startsWith("hit")) hits++;
      faults.push(...echo.faults(attack, mark, got).map((fault) => `${attack.method} ${mark}: ${fault}`));
    });
    await Promise.all(answers);
    await echo.settle();
  }
  return { faults, hits };
}
