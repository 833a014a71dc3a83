import { createServer, type Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import { createAdaptorServer } from "@hono/node-server";
import { cachedFetch, cachedHandler } from "../../src/fetch/index.js";
import { type Client, inProcess, overHttp1, overHttp2 } from "./clients.js";
import type { Abilities, HttpHost, Opened, Shown, SiteInit } from "./host.js";

type Answer = (request: Request) => Promise<Response>;

/** What a web handler sees: a Request, and nothing else. */
class ShownByRequest implements Shown {
  readonly kept = undefined;
  readonly #request: Request;

  constructor(request: Request) {
    this.#request = request;
  }

  get path(): string {
    return new URL(this.#request.url).pathname;
  }

  body(): Promise<string> {
    return this.#request.clone().text();
  }

  target(): Record<string, unknown> {
    return { url: this.#request.url, method: this.#request.method };
  }

  values(name: string): string[] {
    const value = this.#request.headers.get(name);
    return value === null ? [] : [value];
  }
}

/** Any server of web handlers answers a handler's error so. */
const served =
  (answer: Answer): Answer =>
  (request) =>
    answer(request).catch(() => new Response("failed", { status: 500 }));

const overNode = (answer: Answer, create: typeof createServer | typeof createHttp2Server): unknown =>
  createAdaptorServer({ fetch: answer, createServer: create, overrideGlobalObjects: false } as Parameters<
    typeof createAdaptorServer
  >[0]);

const TRANSPORTS: readonly { protocol: Abilities["protocol"]; open: (answer: Answer) => Promise<Client> }[] = [
  { protocol: "in process", open: async (answer) => inProcess(answer) },
  { protocol: "HTTP/1.1", open: (answer) => overHttp1(overNode(answer, createServer) as Server) },
  { protocol: "HTTP/2", open: (answer) => overHttp2(overNode(answer, createHttp2Server) as Http2Server) },
];

function opened(
  client: Client,
  http: Pick<Opened, "purge" | "purgeTags" | "purgeGroups" | "purgePrefix">,
  errors: unknown[],
): Opened {
  const { purge, purgeTags, purgeGroups, purgePrefix } = http;
  const close = () => client[Symbol.asyncDispose]();
  return { ...client, errors, purge, purgeTags, purgeGroups, purgePrefix, [Symbol.asyncDispose]: close };
}

/** `cachedHandler()`, called, and behind a server of Node. */
export const HANDLER_HOSTS: readonly HttpHost[] = TRANSPORTS.map(({ protocol, open }) => ({
  name: `cachedHandler, ${protocol}`,
  protocol,
  refreshes: true,
  outside: false,
  mounts: false,
  async open({ cache, options, handler, keyGenerator, waitUntil }: SiteInit) {
    const errors: unknown[] = [];
    const handle = (request: Request) => handler(request, new ShownByRequest(request));
    const own = { keyGenerator, waitUntil, ...options };
    const http = cachedHandler(handle, { cache, onError: (error) => errors.push(error), ...own });
    return opened(await open(served(http)), http, errors);
  },
}));

/** A request as it comes over the network: without a fragment, and with Host. */
function overNetwork(input: string | URL | Request, init?: RequestInit): Request {
  const request = new Request(input, init);
  const url = new URL(request.url);
  url.hash = "";
  const came = new Request(url, request);
  if (!came.headers.has("host")) came.headers.set("host", url.host);
  return came;
}

/** `cachedFetch()`, whose origin is the handler. */
export const FETCH_HOST: HttpHost = {
  name: "cachedFetch",
  protocol: "in process",
  refreshes: true,
  outside: false,
  mounts: false,
  async open({ cache, options, handler, keyGenerator, waitUntil }: SiteInit) {
    const errors: unknown[] = [];
    const { trustForwarded: _, ...others } = options ?? {};
    const http = cachedFetch({
      cache,
      // As the other hosts, which read what one of them has stored.
      cacheName: "valkey-edge-cache",
      fetch: async (input, init) => {
        const request = overNetwork(input, init);
        return handler(request, new ShownByRequest(request));
      },
      onError: (error) => errors.push(error),
      keyGenerator,
      waitUntil,
      ...others,
    });
    return opened(inProcess(served((request) => http(request, { redirect: "manual" }))), http, errors);
  },
};
