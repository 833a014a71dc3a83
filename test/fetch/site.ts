import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
import { type CachedFetch, type CachedFetchOptions, cachedFetch } from "../../src/fetch/index.js";
import { type CacheOptions, createCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { HOST, listenAnywhere } from "../support/ports.js";

/** An origin of a test: a node:http server, and what it was asked. */
export interface Site {
  readonly url: string;
  /** The requests in order, as `METHOD /path`. */
  readonly asked: string[];
  readonly requests: IncomingMessage[];
  readonly server: Server;
}

export type Page = (request: IncomingMessage, response: ServerResponse) => void;

/** Starts an origin that ends with the test. */
export async function startSite(page: Page): Promise<Site> {
  const asked: string[] = [];
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    requests.push(request);
    page(request, response);
  });
  const port = await listenAnywhere(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://${HOST}:${port}`, asked, requests, server };
}

/** A page with these fields. */
export function page(fields: Record<string, string>, body = "page", status = 200): Page {
  return (_request, response) => response.writeHead(status, fields).end(body);
}

/** A cached fetch with a cache of its own, in the process. */
export function testFetch(
  options: Partial<CachedFetchOptions> = {},
  cacheOptions: Partial<CacheOptions> = {},
): CachedFetch & { readonly errors: unknown[] } {
  const errors: unknown[] = [];
  const cache = createCache({ location: "memory:", keyPrefix: ownPrefix(), ...cacheOptions });
  onTestFinished(() => cache.close());
  const fetch = cachedFetch({ cache, onError: (error) => errors.push(error), ...options });
  return Object.assign(fetch, { errors });
}

/** The cache's own part of Cache-Status, without its name. */
export function how(response: Response): string {
  return response.headers.get("cache-status")?.replace(/^(?:.*, )?[\w-]+; /, "") ?? "";
}
