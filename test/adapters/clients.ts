import type { Server } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, type Http2Server } from "node:http2";
import { connect } from "node:net";
import { HOST, listenAnywhere } from "../support/ports.js";
import { type Attack, type Got, type Opened, type RawServer, SHOP } from "./host.js";

/** A client of a server, which closes the server, too. */
export type Client = Pick<Opened, "send" | "raw"> & AsyncDisposable;

/** A client of a server over HTTP/1.1. */
export interface Http1Client extends Client {
  readonly raw: RawServer;
}

const NO_RESPONSE: Got = { status: 0, body: "", headers: new Headers(), how: "" };

const pairs = (fields: Attack["fields"] = []): (readonly [string, string])[] =>
  Symbol.iterator in fields ? [...(fields as Iterable<readonly [string, string]>)] : Object.entries(fields);

export async function toGot(response: Response): Promise<Got> {
  const how = response.headers.get("cache-status")?.replace(/^(?:.*, )?[\w-]+; /, "") ?? "";
  return { status: response.status, headers: response.headers, how, body: await response.text() };
}

/** Calls a function with requests, as no server is between. */
export function inProcess(answer: (request: Request) => Response | Promise<Response>): Client {
  return {
    raw: undefined,
    async send({ method = "GET", target = "/", host = SHOP, fields, body } = {}) {
      const url = /^https?:/i.test(target) ? target : `http://${host}${target}`;
      const headers = pairs(fields).map(([name, value]): [string, string] => [name, value]);
      // A Request refuses some of what a client can write; that reaches no application.
      let request: Request;
      try {
        request = new Request(url, { method, headers, ...(body !== undefined && { body }) });
      } catch {
        return NO_RESPONSE;
      }
      return toGot(await answer(request));
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Listens, and sends requests as raw bytes, each over a connection of its own. */
export async function overHttp1(server: Server): Promise<Http1Client> {
  const port = await listenAnywhere(server);
  return {
    raw: { port, sendText: (request) => exchange(port, request) },
    async send({ method = "GET", target = "/", host = SHOP, fields, body } = {}) {
      const lines = pairs(fields).map(([name, value]) => `${name}: ${value}`);
      const length = body === undefined || lines.some((line) => /^transfer-encoding/i.test(line));
      if (!length) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
      const head = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...lines, "Connection: close"];
      return parse(await exchange(port, `${head.join("\r\n")}\r\n\r\n${body ?? ""}`), method);
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Listens, and sends requests over one session of HTTP/2. */
export async function overHttp2(server: Http2Server): Promise<Client> {
  const port = await listenAnywhere(server);
  let session: ClientHttp2Session | undefined;
  // A session that fails ends its streams, which say so; the next request gets another one.
  const connected = (): ClientHttp2Session => {
    if (!session || session.destroyed || session.closed) {
      session = connectHttp2(`http://${HOST}:${port}`).on("error", () => {});
    }
    return session;
  };
  return {
    raw: undefined,
    send: (attack = {}) => overStream(connected(), attack).catch(() => NO_RESPONSE),
    async [Symbol.asyncDispose]() {
      session?.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

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

/** The first response in what a server has sent. A body that is cut short rejects. */
async function parse(text: string, method: string): Promise<Got> {
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
