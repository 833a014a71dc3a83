import type { AddressInfo } from "node:net";
import { type ServerType, serve } from "@hono/node-server";
import { Hono } from "hono";
import { onTestFinished } from "vitest";
import { type Cache, type CacheOptions, createCache, herd } from "../../src/index.js";
import type { Info, Live } from "../../src/inspector/api.js";
import { type InspectorOptions, inspector } from "../../src/inspector/index.js";

let count = 0;

/** A key prefix of its own for each test, as they share a server. */
export function uniquePrefix(): string {
  return `inspector-${process.pid}-${Date.now().toString(36)}-${++count}`;
}

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

export const everyone = (): boolean => true;

/** An application with an inspector at /cache, on a free port. */
export async function serveInspector(options: Partial<InspectorOptions> & Pick<InspectorOptions, "cache">) {
  const app = new Hono();
  app.route("/cache", inspector({ authorize: everyone, ...options }));
  return listen(app.fetch);
}

/** Serves a handler of web requests on a free port. @returns its URL */
export async function listen(fetch: Hono["fetch"]): Promise<string> {
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
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface LiveClient extends AsyncDisposable {
  readonly response: Response;
  /** The data of the next second; `undefined` when the server has ended the stream. */
  next(): Promise<Live | undefined>;
  leave(): Promise<void>;
}

/** A client of api/live. @param base the URL of the mount */
export async function watchLive(base: string, init: RequestInit = {}): Promise<LiveClient> {
  const response = await fetch(`${base}/api/live`, init);
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const leave = (): Promise<void> => reader.cancel().catch(() => {});
  return {
    response,
    leave,
    [Symbol.asyncDispose]: leave,
    async next() {
      for (;;) {
        const [, data] = /^event: live\ndata: (.*)\n\n/m.exec(text) ?? [];
        if (data !== undefined) {
          text = text.slice(text.indexOf("\n\n", text.indexOf(data)) + 2);
          return JSON.parse(data) as Live;
        }
        const { done, value } = await reader.read();
        if (done) return undefined;
        text += value;
      }
    },
  };
}

/** What a browser sends with a POST of the inspector's own page. */
export async function pageFields(base: string, fields: Record<string, string> = {}): Promise<Record<string, string>> {
  const response = await fetch(`${base}/api/info`, { headers: fields });
  const { token = "" } = (await response.json()) as Info;
  const [cookie = ""] = (response.headers.get("set-cookie") ?? "").split(";");
  return {
    ...fields,
    "content-type": "application/json",
    origin: new URL(base).origin,
    "sec-fetch-site": "same-origin",
    cookie,
    "x-csrf-token": token,
  };
}

/** The lines of a response of lines of JSON. */
export async function linesOf<T>(response: Response): Promise<T[]> {
  const text = await response.text();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}
