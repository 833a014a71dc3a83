import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import type { Cache } from "../cache/cache.js";
import { ConfigurationError, ConnectionError, ReplyError } from "../core/errors.js";
import { afterBody } from "../hosts/with-cache.js";
import { membershipOf } from "../inspect/fleet.js";
import { recorderOf } from "../inspect/recorder.js";
import { json } from "./json.js";
import { liveStream } from "./live-stream.js";
import { type InspectorOptions, type InspectorSettings, toSettings } from "./options.js";
import { pageHtml } from "./page.js";
import { BadRequest, entry, health, info, keys } from "./reads.js";
import { FIELDS, newNonce, pagePolicy, refusalOf } from "./security.js";
import { work } from "./work.js";

/**
 * A page that shows what a cache does and holds, and its server: a Hono application to mount at any path, or a handler of web
 * requests by its `fetch`. It does no I/O before the first request.
 * @throws {ConfigurationError} on wrong options
 * @example
 * app.route("/cache", inspector({ cache, authorize: (c) => c.var.user?.isAdmin === true }));
 */
export function inspector(options: InspectorOptions): Hono {
  const server = new Server(toSettings(options));
  const app = new Hono();
  app.all("*", (c) => server.answer(c));
  return app;
}

/** Routes under `api/`, with the method that each has. */
const ROUTES: Readonly<Record<string, "GET" | "POST">> = {
  info: "GET",
  live: "GET",
  keys: "GET",
  entry: "GET",
  health: "GET",
  preview: "POST",
  purge: "POST",
};

const API = /(?:^|\/)api\/([^/]*)$/;

class Server {
  readonly #settings: InspectorSettings;
  #cache: Cache | undefined;

  constructor(settings: InspectorSettings) {
    this.#settings = settings;
    if (settings.cache) this.#join(settings.cache);
  }

  async answer(c: Context): Promise<Response> {
    for (const [name, value] of Object.entries(FIELDS)) c.header(name, value);
    try {
      const allowed = await this.#settings.authorize(c);
      if (allowed instanceof Response) return allowed;
      if (allowed !== true) return failure(c, 403, "you may not look into this cache");
    } catch (error) {
      // Hono's middleware, such as basicAuth(), refuses by an exception that has the response.
      if (error instanceof HTTPException) return error.getResponse();
      this.#cache?.report(error, "inspector", "");
      if (!this.#cache) console.error("valkey-edge-cache: inspector: authorize has failed.", error);
      return failure(c, 500, "internal error");
    }
    try {
      return await this.#route(c);
    } catch (error) {
      return this.#failed(c, error);
    }
  }

  async #route(c: Context): Promise<Response> {
    const { path } = c.req;
    const [, name] = API.exec(path) ?? [];
    if (name === undefined) return page(c, path);
    const method = Object.hasOwn(ROUTES, name) ? ROUTES[name] : undefined;
    if (method === undefined) return failure(c, 404, `there is no api/${name.slice(0, 40)}`);
    if (c.req.method !== method && !(c.req.method === "HEAD" && method === "GET")) {
      c.header("allow", method);
      return failure(c, 405, `api/${name} answers ${method} only`);
    }
    if (method === "POST") {
      if (!this.#settings.allowChanges) {
        return failure(
          c,
          403,
          "this inspector is read-only; set the option allowChanges of inspector() to allow changes",
        );
      }
      const refusal = await refusalOf(c);
      if (refusal !== undefined) return failure(c, 403, refusal);
    }
    const whole = this.#cacheOf(c);
    const { sharesConnection } = whole.parts.settings;
    if (sharesConnection) return this.#api(c, name, whole);
    // A request has a connection of its own here, which lives as long as its response.
    const cache = whole.for({ signal: c.req.raw.signal });
    const { response, sent } = afterBody(await this.#api(c, name, cache).catch(this.#failed.bind(this, c)));
    const closed = sent.then(() => cache.close()).catch((error: unknown) => cache.report(error, "inspector", ""));
    waitUntil(c, closed);
    return response;
  }

  async #api(c: Context, name: string, cache: Cache): Promise<Response> {
    if (c.req.method === "HEAD") return c.body(null);
    switch (name) {
      case "info":
        return info(c, cache, this.#settings.allowChanges);
      case "keys":
        return keys(c, cache);
      case "entry":
        return entry(c, cache);
      case "health":
        return health(c, cache);
      case "live":
        return this.#live(c, cache);
      default:
        return work(c, cache, this.#settings, name === "purge" ? "purge" : "preview");
    }
  }

  #live(c: Context, cache: Cache): Response {
    const { authorize, authorizeEveryMs, fleet } = this.#settings;
    const isAllowed = async (): Promise<boolean> => {
      try {
        return (await authorize(c)) === true;
      } catch (error) {
        if (!(error instanceof HTTPException)) cache.report(error, "inspector", "");
        return false;
      }
    };
    return liveStream(c, cache, { isAllowed, authorizeEveryMs, fleet });
  }

  #cacheOf(c: Context): Cache {
    return this.#cache ?? this.#join(this.#settings.cacheOf(c));
  }

  #join(cache: Cache): Cache {
    this.#cache = cache;
    const { definition, fleet } = this.#settings;
    if (definition) recorderOf(cache, "inspector").nameOf = definition;
    if (fleet) membershipOf(cache, "inspector").report();
    return cache;
  }

  #failed(c: Context, error: unknown): Response {
    if (error instanceof BadRequest) return failure(c, error.status, error.message);
    // Of the caller's values: a pattern that is empty, for example.
    if (error instanceof TypeError || error instanceof ConfigurationError) return failure(c, 400, error.message);
    if (error instanceof ConnectionError || error instanceof ReplyError) return failure(c, 503, error.message);
    this.#cache?.report(error, "inspector", "");
    return failure(c, 500, "internal error");
  }
}

/** Keeps the host running until the promise settles, where it would stop earlier. */
function waitUntil(c: Context, work: Promise<unknown>): void {
  try {
    c.executionCtx.waitUntil(work);
  } catch {
    // Hono throws where the host has none.
  }
}

/** The page, at the path of the mount with a slash behind it: its own requests are relative to that. */
function page(c: Context, path: string): Response {
  if (c.req.method !== "GET" && c.req.method !== "HEAD") {
    c.header("allow", "GET");
    return failure(c, 405, "the page answers GET only");
  }
  if (!path.endsWith("/")) {
    const { pathname, search } = new URL(c.req.url);
    const last = pathname.slice(pathname.lastIndexOf("/") + 1);
    if (last.includes(".")) return failure(c, 404, "there is no such file");
    // Relative to the URL that the browser has, which a mount or a proxy may not show here.
    if (last !== "") return c.redirect(`./${last}/${search}`, 302);
  }
  const nonce = newNonce();
  c.header("content-security-policy", pagePolicy(nonce));
  return c.html(withSlash(pageHtml).replaceAll("__NONCE__", nonce));
}

/** Some hosts show the same path for a mount with and without a slash, so the page looks once more. */
const ADD_SLASH =
  '<script nonce="__NONCE__">if(!location.pathname.endsWith("/"))location.replace(location.pathname+"/"+location.search+location.hash)</script>';

function withSlash(html: string): string {
  return html.replace("<head>", () => `<head>${ADD_SLASH}`);
}

function failure(c: Context, status: 400 | 403 | 404 | 405 | 413 | 500 | 503, error: string): Response {
  return json(c, { error }, status);
}
