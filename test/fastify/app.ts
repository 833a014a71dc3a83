import { randomUUID } from "node:crypto";
import Fastify, { type FastifyInstance, type FastifyServerOptions } from "fastify";
import { inject, onTestFinished } from "vitest";
import { type HttpCacheOptions, httpCacheFastify } from "../../src/fastify/index.js";
import { type Cache, createCache } from "../../src/index.js";
import { HOST } from "../support/ports.js";
import { until } from "../support/wait.js";

export interface Got {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  /** The cache's own part of Cache-Status. */
  readonly how: string;
}

export interface TestApp {
  readonly app: FastifyInstance;
  readonly cache: Cache;
  readonly errors: unknown[];
  /** Asks the server, which listens when it is asked first, and reads the answer to its end. */
  get(path: string, init?: RequestInit): Promise<Got>;
  url(path?: string): Promise<string>;
}

export interface Setup {
  readonly options?: Partial<HttpCacheOptions>;
  readonly server?: FastifyServerOptions;
  /** What is registered before the plugin. */
  readonly before?: (app: FastifyInstance) => unknown;
}

/** A cache in a key prefix of its own, closed when the test is over. */
export function ownCache(): Cache {
  const cache = createCache({ location: inject("valkeyUrl"), keyPrefix: `fastify-${randomUUID()}` });
  onTestFinished(() => cache.close());
  return cache;
}

/** An application with the plugin in front of its routes. */
export async function testApp({ options, server, before }: Setup = {}): Promise<TestApp> {
  const cache = ownCache();
  const app = Fastify({ forceCloseConnections: true, ...server });
  const errors: unknown[] = [];
  await before?.(app);
  await app.register(httpCacheFastify, { cache, onError: (error) => errors.push(error), ...options });
  onTestFinished(() => app.close());
  let listening: Promise<string> | undefined;
  const url = async (path = "/"): Promise<string> => {
    listening ??= app.listen({ port: 0, host: HOST });
    return (await listening) + path;
  };
  const get = async (path: string, init?: RequestInit): Promise<Got> => toGot(await fetch(await url(path), init));
  return { app, cache, errors, get, url };
}

export async function toGot(response: Response): Promise<Got> {
  const how = response.headers.get("cache-status")?.replace(/^(?:.*, )?[\w-]+; /, "") ?? "";
  return { status: response.status, headers: response.headers, how, body: await response.text() };
}

/** Asks until the answer comes from the store. */
export function hit(ask: () => Promise<Got>): Promise<Got> {
  return until(
    async () => {
      const got = await ask();
      return got.how.startsWith("hit") ? got : undefined;
    },
    { what: "a hit" },
  );
}
