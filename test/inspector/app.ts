import type { AddressInfo } from "node:net";
import { type ServerType, serve } from "@hono/node-server";
import { Hono } from "hono";
import { onTestFinished } from "vitest";
import { type Cache, type CacheOptions, createCache, herd } from "../../src/index.js";
import { type InspectorOptions, inspector } from "../../src/inspector/index.js";
import { uniquePrefix } from "./prefix.js";

export function openCache(options: Partial<CacheOptions> = {}): Cache {
  const cache = createCache({
    location: "memory:",
    keyPrefix: uniquePrefix(),
    client: herd(),
    logger: false,
    ...options,
  });
  onTestFinished(() => cache.close());
  return cache;
}

/** An application with an inspector at /cache, on a free port. */
export async function serveInspector(options: InspectorOptions): Promise<{ url: string; server: ServerType }> {
  const app = new Hono();
  app.route("/cache", inspector(options));
  return listen(app.fetch);
}

export async function listen(fetch: Hono["fetch"]): Promise<{ url: string; server: ServerType }> {
  const server = await new Promise<ServerType>((resolve) => {
    const started = serve({ fetch, port: 0, hostname: "127.0.0.1" }, () => resolve(started));
  });
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ("closeAllConnections" in server) server.closeAllConnections();
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

export const everyone = () => true;
