import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { HOST, listenAnywhere } from "./ports.js";

/** Whose answers the server gives: those of Upstash, or those of serverless-redis-http. */
export type RestStyle = "upstash" | "serverless-redis-http";

/** What the server does instead of answering. */
export type RestFault =
  | { readonly kind: "mute" }
  /** The status and half of the body, and then nothing. */
  | { readonly kind: "slow body" }
  /** As above, and then the end of the connection. */
  | { readonly kind: "cut" }
  | { readonly kind: "answer"; readonly status: number; readonly body: string; readonly type?: string };

export interface RestRequest {
  readonly path: string;
  /** The names of its commands. */
  readonly commands: readonly string[];
}

export interface RestServer extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly requests: RestRequest[];
  /** Requests in progress. */
  readonly open: number;
  fault: RestFault | undefined;
  stop(): Promise<void>;
}

const TOKEN = "a-token";
const MAX_BYTES = { upstash: 10_000_000, "serverless-redis-http": 8_000_000 } as const;

/**
 * Starts a server that speaks the REST protocol of Upstash in front of a Valkey server, with the limits of the real ones:
 * strings are text in requests, and base64 in responses only when asked for; there are no subscriptions.
 */
export async function startRestServer(
  { port }: { readonly port: number },
  { style = "upstash" }: { readonly style?: RestStyle } = {},
): Promise<RestServer> {
  const valkey = new RespClient(port);
  const requests: RestRequest[] = [];
  let open = 0;
  let fault: RestFault | undefined;
  const server = createServer(async (request, response) => {
    open++;
    response.once("close", () => void open--);
    const { status, body } = await answer(request, { valkey, style, requests }).catch((error: unknown) => ({
      status: 500,
      body: JSON.stringify({ error: `An error occurred internally: ${error}` }),
    }));
    respond(response, { status, body }, fault);
  });
  const listening = await listenAnywhere(server);
  const stop = async (): Promise<void> => {
    valkey.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `http://${HOST}:${listening}`,
    token: TOKEN,
    requests,
    get open() {
      return open;
    },
    get fault() {
      return fault;
    },
    set fault(next) {
      fault = next;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function respond(response: ServerResponse, { status, body }: Answer, fault: RestFault | undefined): void {
  if (fault?.kind === "mute") return;
  if (fault?.kind === "answer") {
    response.writeHead(fault.status, { "content-type": fault.type ?? "application/json" }).end(fault.body);
    return;
  }
  const bytes = Buffer.from(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
  if (!fault) {
    response.end(bytes);
    return;
  }
  response.write(bytes.subarray(0, bytes.length / 2), () => {
    if (fault.kind === "cut") response.destroy();
  });
}

interface Backend {
  readonly valkey: RespClient;
  readonly style: RestStyle;
  readonly requests: RestRequest[];
}

async function answer(request: IncomingMessage, { valkey, style, requests }: Backend): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const error = (status: number, message: string): Answer => ({ status, body: JSON.stringify({ error: message }) });
  if (style !== "upstash" && request.headers["content-type"] !== "application/json")
    return error(400, "Invalid content type. Expected application/json.");
  if (request.headers.authorization !== `Bearer ${TOKEN}`)
    return error(401, style === "upstash" ? "WRONGPASS invalid or missing auth token" : "Invalid token");
  if (body.length > MAX_BYTES[style]) {
    return style === "upstash"
      ? error(400, `ERR max request size exceeded. Limit: ${MAX_BYTES.upstash} bytes, Actual: ${body.length} bytes`)
      : { status: 413, body: "Request Entity Too Large" };
  }
  const { url = "" } = request;
  if (url !== "/pipeline" && url !== "/multi-exec") return error(404, "Endpoint not found");
  const commands = toCommands(body.toString());
  if (!commands) return error(400, "ERR failed to parse pipeline request");
  requests.push({ path: url, commands: commands.map(([name = ""]) => name) });
  const toJson = (reply: Resp): unknown =>
    reply instanceof RespError
      ? { error: reply.message }
      : { result: toResult(reply, style, request.headers["upstash-encoding"] === "base64") };
  if (url === "/pipeline") return { status: 200, body: JSON.stringify((await valkey.send(commands)).map(toJson)) };
  const replies = await valkey.send([["MULTI"], ...commands, ["EXEC"]]);
  const done = replies.at(-1);
  if (done instanceof RespError) {
    const first = replies.find((reply) => reply instanceof RespError) ?? done;
    return error(400, (style === "upstash" ? first : done).message);
  }
  if (!Array.isArray(done)) throw new Error("EXEC was aborted");
  return {
    status: 200,
    body: JSON.stringify(
      style === "upstash" ? done.map(toJson) : done.map((one) => ({ result: toResult(one, style, true) })),
    ),
  };
}

/** The commands of a body; `undefined` if it has another form. Numbers become strings. */
function toCommands(body: string): string[][] | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed) || !parsed.every((command) => Array.isArray(command) && command.length > 0))
    return undefined;
  const isPart = (part: unknown): boolean => typeof part === "string" || typeof part === "number";
  const all = parsed as unknown[][];
  // Text is UTF-8 on the way to the server, so lone surrogates are lost.
  return all.every((command) => command.every(isPart))
    ? all.map((command) => command.map((part) => Buffer.from(String(part)).toString()))
    : undefined;
}

function toResult(reply: Resp, style: RestStyle, isBase64: boolean): unknown {
  if (reply === null || typeof reply === "number") return reply;
  // serverless-redis-http has no form for an error inside of a reply.
  if (reply instanceof RespError) {
    if (style === "upstash") return { error: reply.message };
    throw new Error("no function clause matching in encode_result_value/1");
  }
  if (Array.isArray(reply)) return reply.map((item) => toResult(item, style, isBase64));
  if (reply instanceof Status && reply.text === "OK" && style === "upstash") return "OK";
  const bytes = reply instanceof Status ? Buffer.from(reply.text) : reply;
  return bytes.toString(isBase64 ? "base64" : "utf8");
}

class Status {
  constructor(readonly text: string) {}
}

class RespError extends Error {}

type Resp = null | number | Status | Buffer | RespError | Resp[];

/** A client that keeps statuses, bulk strings and errors apart, on one connection. */
class RespClient {
  readonly #socket: Socket;
  readonly #waiting: { readonly count: number; resolve(replies: Resp[]): void; reject(error: Error): void }[] = [];
  #received: Buffer = Buffer.alloc(0);
  #replies: Resp[] = [];

  constructor(port: number) {
    this.#socket = connect(port, HOST);
    this.#socket.on("data", (chunk) => this.#read(chunk));
    const end = (error: Error) => {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    };
    this.#socket.on("error", end);
    this.#socket.on("close", () => end(new Error("the server closed the connection")));
  }

  send(commands: readonly (readonly string[])[]): Promise<Resp[]> {
    if (commands.length === 0) return Promise.resolve([]);
    if (this.#socket.closed) return Promise.reject(new Error("the connection is closed"));
    const parts = commands.flatMap((command) => [
      `*${command.length}\r\n`,
      ...command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`),
    ]);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ count: commands.length, resolve, reject });
      this.#socket.write(parts.join(""));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (let parsed = parse(this.#received, 0); parsed; parsed = parse(this.#received, 0)) {
      this.#received = this.#received.subarray(parsed.end);
      this.#replies.push(parsed.reply);
      const [first] = this.#waiting;
      if (first && this.#replies.length === first.count) {
        this.#waiting.shift();
        first.resolve(this.#replies);
        this.#replies = [];
      }
    }
  }
}

/** The reply that begins at `start`; `undefined` while it is incomplete. */
function parse(bytes: Buffer, start: number): { reply: Resp; end: number } | undefined {
  const lineEnd = bytes.indexOf("\r\n", start);
  if (lineEnd < 0) return undefined;
  const kind = String.fromCharCode(bytes[start] ?? 0);
  const line = bytes.toString("utf8", start + 1, lineEnd);
  const next = lineEnd + 2;
  if (kind === "+") return { reply: new Status(line), end: next };
  if (kind === "-") return { reply: new RespError(line), end: next };
  if (kind === ":") return { reply: Number(line), end: next };
  const length = Number(line);
  if (length < 0) return { reply: null, end: next };
  if (kind === "$") {
    if (bytes.length < next + length + 2) return undefined;
    return { reply: Buffer.from(bytes.subarray(next, next + length)), end: next + length + 2 };
  }
  const items: Resp[] = [];
  let end = next;
  while (items.length < length) {
    const item = parse(bytes, end);
    if (!item) return undefined;
    items.push(item.reply);
    end = item.end;
  }
  return { reply: items, end };
}
