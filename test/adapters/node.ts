import { createServer, type ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import connect from "connect";
import express5 from "express";
import express4 from "express-4";
import { httpCacheNode } from "../../src/node/index.js";
import { type Client, overHttp1, overHttp2 } from "./clients.js";
import type { Abilities, HttpHost, SiteInit } from "./host.js";
import {
  handlerMiddleware,
  type Next,
  type NodeMiddleware,
  type NodeRequest,
  outsideMiddleware,
  type Sending,
  sendBySetHeader,
  sendByWriteHead,
  toRequest,
} from "./node-handler.js";

type Listener = (req: NodeRequest, res: ServerResponse) => void;

/** Middleware put together by a framework, from the outermost to the innermost. @param mount the path of the last ones */
type Compose = (outer: readonly NodeMiddleware[], inner: readonly NodeMiddleware[], mount: string) => Listener;

function fail(res: ServerResponse): unknown {
  if (res.headersSent) return res.destroy();
  // They were meant for the response that the handler has not made.
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  return res.writeHead(500).end("failed");
}

/** Without a framework. */
const chained: Compose = (outer, inner) => (req, res) => {
  const all = [...outer, ...inner];
  const next = (error?: unknown): void => {
    const middleware = error === undefined ? all.shift() : undefined;
    if (middleware) middleware(req, res, next);
    else fail(res);
  };
  next();
};

interface FrameworkApp {
  use(path: string, ...middleware: readonly ((...given: never[]) => void)[]): unknown;
}

function composed<App extends FrameworkApp>(app: App, ...[outer, inner, mount]: Parameters<Compose>): App {
  for (const each of outer) app.use("/", each);
  for (const each of inner) app.use(mount, each);
  app.use("/", (_error: never, _req: never, res: ServerResponse, _next: Next) => fail(res));
  return app;
}

const byConnect: Compose = (...given) => composed(connect() as FrameworkApp & Listener, ...given);

const byExpress =
  (express: typeof express5): Compose =>
  (...given) => {
    const app = express();
    // It would compare conditions, too, and make entity tags of its own.
    app.disable("etag");
    return composed(app as FrameworkApp & Listener, ...given);
  };

interface NodeHost extends Pick<Abilities, "mounts"> {
  readonly name: string;
  readonly compose: Compose;
  readonly send: Sending;
  /** @default HTTP/1.1 */
  readonly isHttp2?: boolean;
}

const nodeHost = ({ name, compose, send, mounts, isHttp2 = false }: NodeHost): HttpHost => ({
  name,
  protocol: isHttp2 ? "HTTP/2" : "HTTP/1.1",
  refreshes: true,
  outside: true,
  mounts,
  async open(site: SiteInit) {
    const { cache, options, handler, outside, keyGenerator, mount = "/" } = site;
    const errors: unknown[] = [];
    const listener: Listener = (req, res) => app(req, res);
    const http = httpCacheNode({
      cache,
      app: listener,
      onError: (error) => errors.push(error),
      ...options,
      ...(keyGenerator && { keyGenerator: (req) => keyGenerator(toRequest(req as NodeRequest)) }),
    });
    const outer = outside ? [outsideMiddleware(outside)] : [];
    const app = compose(outer, [http as NodeMiddleware, handlerMiddleware(handler, send, site)], mount);
    const client: Client = await (isHttp2
      ? overHttp2(createHttp2Server(app as unknown as Parameters<typeof createHttp2Server>[1]))
      : overHttp1(createServer(app)));
    const { purge, purgeTags, purgeGroups, purgePrefix } = http;
    return {
      ...client,
      errors,
      purge,
      purgeTags,
      purgeGroups,
      purgePrefix,
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    };
  },
});

/** `httpCacheNode()` in servers of Node, alone and in frameworks. */
export const NODE_HOSTS: readonly HttpHost[] = [
  { name: "node:http", compose: chained, send: sendBySetHeader, mounts: false },
  { name: "node:http2", compose: chained, send: sendByWriteHead, mounts: false, isHttp2: true },
  { name: "Connect", compose: byConnect, send: sendByWriteHead, mounts: true },
  { name: "Express 4", compose: byExpress(express4), send: sendBySetHeader, mounts: true },
  { name: "Express 5", compose: byExpress(express5), send: sendByWriteHead, mounts: true },
].map(nodeHost);
