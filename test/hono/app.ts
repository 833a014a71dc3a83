import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { type HttpCacheMiddleware, type HttpCacheOptions, httpCache } from "../../src/hono/index.js";
import type { Cache } from "../../src/index.js";
import { toGot } from "../adapters/clients.js";
import type { Got } from "../adapters/host.js";
import { HOST } from "../support/ports.js";

export { type Got, toGot };

export interface TestApp {
  readonly app: Hono;
  readonly http: HttpCacheMiddleware;
  readonly errors: unknown[];
  /** Asks, and reads the answer to its end. */
  get(path: string, init?: RequestInit): Promise<Got>;
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
