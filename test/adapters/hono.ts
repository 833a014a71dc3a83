import type { Server } from "node:http";
import { createServer } from "node:http";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import { createAdaptorServer } from "@hono/node-server";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { httpCache } from "../../src/hono/index.js";
import { type Client, type Http1Client, inProcess, overHttp1, overHttp2 } from "./clients.js";
import type { Abilities, HttpHost, Opened, Shown, SiteInit } from "./host.js";

/** One way for a request to reach an application. */
export interface HonoTransport<T extends Client = Client> extends Pick<Abilities, "protocol"> {
  readonly name: string;
  open(app: Hono): Promise<T>;
}

/** A site with middleware of Hono around the cache. */
export interface HonoSiteInit extends SiteInit {
  /** In the place of `outside`, from the outermost to the innermost. */
  readonly around?: { readonly outer: readonly MiddlewareHandler[]; readonly inner: readonly MiddlewareHandler[] };
  /** Whether the cache may send requests through the application. @default true */
  readonly canRefetch?: boolean;
}

export interface HonoHost extends HttpHost {
  open(site: HonoSiteInit): Promise<Opened>;
}

const served = (app: Hono, create: typeof createServer | typeof createHttp2Server): unknown =>
  createAdaptorServer({ fetch: app.fetch, createServer: create, overrideGlobalObjects: false } as Parameters<
    typeof createAdaptorServer
  >[0]);

export const CALLED: HonoTransport = {
  name: "app.request",
  protocol: "in process",
  open: async (app) => inProcess((request) => app.fetch(request)),
};
export const OVER_HTTP1: HonoTransport<Http1Client> = {
  name: "HTTP/1.1",
  protocol: "HTTP/1.1",
  open: (app) => overHttp1(served(app, createServer) as Server),
};
export const OVER_HTTP2: HonoTransport = {
  name: "HTTP/2",
  protocol: "HTTP/2",
  open: (app) => overHttp2(served(app, createHttp2Server) as Http2Server),
};
/** Every way for a request to reach an application of Hono. */
export const HONO_TRANSPORTS: readonly HonoTransport[] = [CALLED, OVER_HTTP1, OVER_HTTP2];

type Env = { Variables: { kept?: string | undefined } };

/** The cache in front of a handler, as middleware of Hono. */
export function honoSite({ cache, handler, outside, keyGenerator, waitUntil, ...site }: HonoSiteInit) {
  const { options, around = { outer: [], inner: [] }, canRefetch = true } = site;
  const app = new Hono<Env>();
  const errors: unknown[] = [];
  app.onError((_error, c) => c.text("failed", 500));
  if (outside) {
    app.use(async (c, next) => {
      const { fields = {}, kept } = outside(c.req.raw);
      for (const [name, value] of Object.entries(fields)) c.header(name, value);
      c.set("kept", kept);
      await next();
    });
  }
  for (const each of around.outer) app.use(each);
  const http = httpCache({
    cache,
    onError: (error) => errors.push(error),
    ...options,
    ...(canRefetch && { app }),
    ...(keyGenerator && { keyGenerator: (c) => keyGenerator(c.req.raw) }),
    ...(waitUntil && { waitUntil: (_c, work) => waitUntil(work) }),
  });
  app.use(http);
  for (const each of around.inner) app.use(each);
  app.all("*", (c) => handler(c.req.raw, new ShownByHono(c)));
  return { app, http, errors };
}

class ShownByHono implements Shown {
  readonly #context: Context<Env>;

  constructor(context: Context<Env>) {
    this.#context = context;
  }

  get path(): string {
    return this.#context.req.path;
  }

  get kept(): string | undefined {
    return this.#context.get("kept");
  }

  body(): Promise<string> {
    return this.#context.req.text();
  }

  target(): Record<string, unknown> {
    const { req } = this.#context;
    return { url: req.url, raw: req.raw.url, path: req.path, query: req.query(), method: req.method };
  }

  values(name: string): string[] {
    const { req } = this.#context;
    return [req.header(name), req.raw.headers.get(name)].flatMap((value) => value ?? []);
  }
}

const honoHost = (transport: HonoTransport): HonoHost => ({
  name: `Hono, ${transport.name}`,
  protocol: transport.protocol,
  refreshes: true,
  outside: true,
  mounts: true,
  async open(site) {
    const { app, http, errors } = honoSite(site);
    const whole = site.mount === undefined ? app : new Hono().mount(site.mount, app.fetch);
    const client = await transport.open(whole as unknown as Hono);
    return {
      ...client,
      errors,
      purge: http.purge,
      purgeTags: http.purgeTags,
      purgeGroups: http.purgeGroups,
      purgePrefix: http.purgePrefix,
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    };
  },
});

/** `httpCache()` without a server. */
export const HONO_CALLED = honoHost(CALLED);
export const HONO_HOSTS: readonly HonoHost[] = HONO_TRANSPORTS.map(honoHost);
