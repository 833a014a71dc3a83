import { createServer } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { connect } from "node:net";
import { serve } from "@hono/node-server";
import type { Hono } from "hono";
import { type Got, toGot } from "../hono/app.js";
import { HOST } from "../support/ports.js";

/** The host that requests are for, unless they say otherwise. */
export const SHOP = "shop.example";

/** A request as a client writes it, well-formed or not. */
export interface Attack {
  /** @default "GET" */
  readonly method?: string;
  /** The request target, as it stands in the request line. @default "/" */
  readonly target?: string;
  /** The Host field, or `:authority`. @default SHOP */
  readonly host?: string;
  readonly fields?: Iterable<readonly [string, string]> | Record<string, string>;
  readonly body?: string;
}

/** A running application. */
export interface Opened extends AsyncDisposable {
  /** Status 0 stands for a request that the server has ended without a response. */
  send(attack?: Attack): Promise<Got>;
}

/** An application behind a server that takes any bytes. */
export interface OpenedRaw extends Opened {
  readonly port: number;
  /** Sends bytes as they are. @returns what has come back until the server has closed the connection */
  sendText(request: string): Promise<string>;
}

/** One way for a request to reach an application. */
export interface AttackHost<T extends Opened = Opened> {
  readonly name: string;
  open(app: Hono): Promise<T>;
}

const pairs = (fields: Attack["fields"] = []): (readonly [string, string])[] =>
  Symbol.iterator in fields ? [...(fields as Iterable<readonly [string, string]>)] : Object.entries(fields);

const NO_RESPONSE: Got = { status: 0, body: "", headers: new Headers(), how: "" };

const inProcess: AttackHost = {
  name: "app.request",
  open: async (app) => ({
    async send({ method = "GET", target = "/", host = SHOP, fields, body }: Attack = {}) {
      const url = /^https?:/i.test(target) ? target : `http://${host}${target}`;
      const headers = pairs(fields).map(([name, value]): [string, string] => [name, value]);
      // A Request refuses some of what a client can write; that reaches no application.
      let request: Request;
      try {
        request = new Request(url, { method, headers, ...(body !== undefined && { body }) });
      } catch {
        return NO_RESPONSE;
      }
      return toGot(await app.fetch(request));
    },
    [Symbol.asyncDispose]: async () => {},
  }),
};

const overHttp1: AttackHost<OpenedRaw> = {
  name: "HTTP/1.1",
  async open(app) {
    const { port, close } = await listening(app, createServer);
    return {
      port,
      sendText: (request) => exchange(port, request),
      async send({ method = "GET", target = "/", host = SHOP, fields, body }: Attack = {}) {
        const lines = pairs(fields).map(([name, value]) => `${name}: ${value}`);
        const length = body === undefined || lines.some((line) => /^transfer-encoding/i.test(line));
        if (!length) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
        const head = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...lines, "Connection: close"];
        return parse(await exchange(port, `${head.join("\r\n")}\r\n\r\n${body ?? ""}`), method);
      },
      [Symbol.asyncDispose]: close,
    };
  },
};

const overHttp2: AttackHost = {
  name: "HTTP/2",
  async open(app) {
    const { port, close } = await listening(app, createHttp2Server);
    let session: ClientHttp2Session | undefined;
    // A session that fails ends its streams, which say so; the next request gets another one.
    const connected = (): ClientHttp2Session => {
      if (!session || session.destroyed || session.closed) {
        session = connectHttp2(`http://${HOST}:${port}`).on("error", () => {});
      }
      return session;
    };
    return {
      send: (attack = {}) => overStream(connected(), attack).catch(() => NO_RESPONSE),
      async [Symbol.asyncDispose]() {
        session?.destroy();
        await close();
      },
    };
  },
};

/** Every way for a request to reach an application. */
export const ATTACK_HOSTS: readonly AttackHost[] = [inProcess, overHttp1, overHttp2];
export const IN_PROCESS: AttackHost = inProcess;
export const OVER_HTTP1: AttackHost<OpenedRaw> = overHttp1;
export const OVER_HTTP2: AttackHost = overHttp2;

/** Sends bytes as they are, and takes what comes back until the server closes the connection. */
function exchange(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, HOST, () => socket.write(request, "latin1"));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}

/** Serves an application with node-server on a port of this machine. */
function listening(
  app: Hono,
  create: typeof createServer | typeof createHttp2Server = createServer,
): Promise<{ port: number; close: () => Promise<void> }> {
  return new Promise((resolve) => {
    const options = { fetch: app.fetch, port: 0, hostname: HOST, overrideGlobalObjects: false };
    const made = { ...options, createServer: create } as Parameters<typeof serve>[0];
    const server = serve(made, ({ port }) => {
      const close = (): Promise<void> =>
        new Promise((closed) => {
          server.close(() => closed());
          if ("closeAllConnections" in server) server.closeAllConnections();
        });
      resolve({ port, close });
    });
  });
}

/** The first response in what a server has sent. A body that is cut short rejects. */
async function parse(text: string, method = "GET"): Promise<Got> {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return NO_RESPONSE;
  const [line = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Headers();
  for (const each of lines) headers.append(each.slice(0, each.indexOf(":")), each.slice(each.indexOf(":") + 1));
  const status = Number(line.split(" ")[1]);
  const isEmpty = method === "HEAD" || [101, 204, 205, 304].includes(status);
  return toGot(new Response(isEmpty ? null : bodyOf(text.slice(end + 4), headers), { status, headers }));
}

function bodyOf(text: string, headers: Headers): Uint8Array<ArrayBuffer> {
  const isChunked = headers.get("transfer-encoding") === "chunked";
  const whole = isChunked ? dechunked(text) : text.slice(0, Number(headers.get("content-length") ?? text.length));
  if (!isChunked && whole.length < Number(headers.get("content-length") ?? 0)) throw new Error("the body is cut short");
  return new Uint8Array(Buffer.from(whole, "latin1"));
}

function dechunked(text: string): string {
  let body = "";
  for (let at = 0; ; ) {
    const end = text.indexOf("\r\n", at);
    if (end < 0) throw new Error("the body is cut short");
    const size = Number.parseInt(text.slice(at, end), 16);
    if (size === 0) return body;
    body += text.slice(end + 2, end + 2 + size);
    at = end + 4 + size;
  }
}

function overStream(
  session: ClientHttp2Session,
  { method = "GET", target = "/", host = SHOP, fields, body }: Attack,
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const named = { ":method": method, ":path": target, ":authority": host, ...Object.fromEntries(pairs(fields)) };
    const stream = session.request(named, { endStream: body === undefined });
    const headers = new Headers();
    let status = 0;
    stream.on("response", (got) => {
      status = Number(got[":status"]);
      for (const [name, value] of Object.entries(got)) {
        if (!name.startsWith(":")) for (const one of [value].flat()) headers.append(name, String(one));
      }
    });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      if (status === 0) return reject(new Error("the stream ended without a response"));
      const isEmpty = method === "HEAD" || [204, 205, 304].includes(status);
      const content = isEmpty ? null : new Uint8Array(Buffer.concat(chunks));
      toGot(new Response(content, { status, headers })).then(resolve, reject);
    });
    if (body !== undefined) stream.end(body);
  });
}
