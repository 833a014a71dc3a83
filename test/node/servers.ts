import { createServer, type RequestOptions, request, type Server } from "node:http";
import { connect, createServer as createHttp2Server, createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Readable } from "node:stream";
import createConnect from "connect";
import express from "express";
import express4 from "express-4";
import { type HttpCacheNode, type HttpCacheOptions, httpCacheNode, type NodeListener } from "../../src/node/index.js";
import { type Got, toGot } from "../hono/app.js";
import { certificate } from "../support/certificates.js";
import { HOST } from "../support/ports.js";

/** An application, from outside to inside. */
interface Parts {
  readonly http: HttpCacheNode;
  readonly outside: readonly NodeListener[];
  readonly inside: readonly NodeListener[];
  readonly handler: NodeListener;
}

/** A way to put the cache in front of handlers. */
export interface NodeServer {
  readonly name: string;
  /** Whether Node knows of a client that leaves by the connection, and not by a stream. */
  readonly isHttp1: boolean;
  open(parts: Parts): Server;
}

interface App {
  use(...handlers: NodeListener[]): unknown;
}

function chain<T extends App & NodeListener>(app: T, { http, outside, inside, handler }: Parts): T {
  for (const listener of [...outside, http, ...inside, handler]) app.use(listener);
  return app;
}

/** Calls listeners one after the other, as Connect does. */
const inOrder =
  (listeners: readonly NodeListener[], last: NodeListener): NodeListener =>
  (req, res) => {
    const [first, ...others] = listeners;
    return first ? first(req, res, () => inOrder(others, last)(req, res)) : last(req, res);
  };

const listenerOf = ({ http, outside, inside, handler }: Parts): NodeListener =>
  inOrder(outside, http.wrap(inOrder(inside, handler)));

const tls = { key: certificate("server.key"), cert: certificate("server.pem") };

export const SERVERS: readonly NodeServer[] = [
  { name: "Express 5", isHttp1: true, open: (parts) => createServer(chain(express(), parts)) },
  { name: "Express 4", isHttp1: true, open: (parts) => createServer(chain(express4(), parts)) },
  { name: "Connect", isHttp1: true, open: (parts) => createServer(chain(createConnect(), parts)) },
  { name: "node:http", isHttp1: true, open: (parts) => createServer(listenerOf(parts)) },
  { name: "node:http2", isHttp1: false, open: (parts) => createHttp2Server(listenerOf(parts)) as unknown as Server },
  {
    name: "node:http2 over TLS",
    isHttp1: false,
    open: (parts) => createSecureServer(tls, listenerOf(parts)) as unknown as Server,
  },
];

export interface Opened extends AsyncDisposable {
  readonly http: HttpCacheNode;
  readonly server: Server;
  readonly port: number;
  /** Asks, and reads the answer to its end. */
  get(path?: string, init?: Init): Promise<Got>;
  /** Asks, and reads the head of the answer. */
  head(path?: string, init?: Init): Promise<Head>;
}

export interface Init {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

export interface Head {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Promise<string>;
}

interface OpenOptions extends HttpCacheOptions {
  readonly outside?: readonly NodeListener[];
  readonly inside?: readonly NodeListener[];
}

/** Serves a handler behind the cache. */
export async function open(
  kind: NodeServer,
  { outside = [], inside = [], ...options }: OpenOptions,
  handler: NodeListener,
): Promise<Opened> {
  const http = httpCacheNode(options);
  const server = kind.open({ http, outside, inside, handler });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const { port } = server.address() as AddressInfo;
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session: { destroy(): void }) => sessions.add(session));
  const ask = kind.isHttp1 ? askHttp1 : kind.name.includes("TLS") ? askTls : askHttp2;
  return {
    http,
    server,
    port,
    head: (path = "/", init = {}) => ask(port, path, init),
    async get(path = "/", init = {}) {
      const { status, headers, body } = await ask(port, path, init);
      const text = await body;
      return toGot(new Response(text === "" ? null : text, { status, headers }));
    },
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
        server.closeAllConnections?.();
      });
    },
  };
}

type Ask = (port: number, path: string, init: Init) => Promise<Head>;

/** Begins a request over HTTP/1.1. */
export function begin(port: number, path: string, options: RequestOptions = {}) {
  return request({ host: HOST, port, path, agent: false, ...options });
}

async function readText(source: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

/** Keeps an error for the one that reads the body. */
function body(source: Readable): Promise<string> {
  const text = readText(source);
  text.catch(() => {});
  return text;
}

function toHeaders(fields: Record<string, unknown>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    if (!name.startsWith(":")) for (const line of [value].flat()) headers.append(name, String(line));
  }
  return headers;
}

const askHttp1: Ask = (port, path, { body: sent, ...init }) =>
  new Promise((resolve, reject) => {
    const length = sent === undefined ? {} : { "content-length": String(sent.length) };
    const asked = begin(port, path, { ...init, headers: { ...length, ...init.headers } });
    asked.on("error", reject);
    asked.on("response", (response) => {
      const headers = toHeaders(response.headersDistinct);
      resolve({ status: response.statusCode ?? 0, headers, body: body(response) });
    });
    asked.end(sent);
  });

const askOver =
  (scheme: string): Ask =>
  (port, path, { method = "GET", headers = {}, body: sent }) =>
    new Promise((resolve, reject) => {
      const session = connect(`${scheme}://${HOST}:${port}`, { rejectUnauthorized: false });
      session.on("error", reject);
      const stream = session.request(
        { ":method": method, ":path": path, ...headers },
        { endStream: sent === undefined },
      );
      stream.on("error", reject);
      stream.on("close", () => session.close());
      stream.on("response", (fields) =>
        resolve({ status: Number(fields[":status"]), headers: toHeaders(fields), body: body(stream) }),
      );
      if (sent !== undefined) stream.end(sent);
    });

const askHttp2 = askOver("http");
const askTls = askOver("https");
