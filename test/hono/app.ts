import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { type HttpCacheMiddleware, type HttpCacheOptions, httpCache } from "../../src/hono/index.js";
import type { Cache } from "../../src/index.js";
import { HOST } from "../support/ports.js";

export interface TestApp {
  readonly app: Hono;
  readonly http: HttpCacheMiddleware;
  readonly errors: unknown[];
  /** Asks, and reads the answer to its end. */
  get(path: string, init?: RequestInit): Promise<Got>;
}

export interface Got {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  /** The cache's own part of Cache-Status. */
  readonly how: string;
}

/** An application with the cache in front of its routes. @param outside what stands before the cache */
export function testApp(
  cache: Cache,
  options: HttpCacheOptions = {},
  outside: (app: Hono) => void = () => {},
): TestApp {
  const app = new Hono();
  const errors: unknown[] = [];
  outside(app);
  const http = httpCache({ cache, app, onError: (error) => errors.push(error), ...options });
  app.use(http);
  const get = async (path: string, init?: RequestInit): Promise<Got> => toGot(await app.request(path, init));
  return { app, http, errors, get };
}

export async function toGot(response: Response): Promise<Got> {
  const how = response.headers.get("cache-status")?.replace(/^(?:.*, )?[\w-]+; /, "") ?? "";
  return { status: response.status, headers: response.headers, how, body: await response.text() };
}

/** Serves an application on a port of this machine. */
export async function listen(app: Hono): Promise<{ url: string } & AsyncDisposable> {
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: HOST, overrideGlobalObjects: false }, ({ port }) => {
      const close = (): Promise<void> =>
        new Promise((closed) => {
          server.close(() => closed());
          if ("closeAllConnections" in server) server.closeAllConnections();
        });
      resolve({ url: `http://${HOST}:${port}`, [Symbol.asyncDispose]: close });
    });
  });
}
