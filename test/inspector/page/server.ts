import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Live } from "../../../src/inspector/api.js";
import { pageHtml } from "../../../src/inspector/page.js";
import type { Answers } from "./answers.js";

/** The policy of the real server. */
const policy = (nonce: string) =>
  `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; img-src data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;

export interface PageServer extends AsyncDisposable {
  readonly url: string;
  readonly answers: Answers;
  /** Requests so far, such as `"GET /api/info"`. */
  readonly requests: readonly string[];
  /** Bodies and tokens of POST requests. */
  readonly posts: readonly { readonly path: string; readonly body: unknown; readonly token: string | undefined }[];
  /** How many lines of keys were written, and how many lists are open. */
  readonly keys: { written: number; open: number };
  readonly streams: number;
  /** Sends a second to all live streams: now, or at another time. */
  tick(atMs?: number): void;
  /** Ends all live streams, as a restart does. */
  cut(): void;
  /** Answers nothing at all, until called with `false`. */
  setGone(isGone: boolean): void;
}

/** Serves the page with the answers of a test in place of a cache. */
export async function startPageServer(answers: Answers): Promise<PageServer> {
  const requests: string[] = [];
  const posts: { path: string; body: unknown; token: string | undefined }[] = [];
  const streams = new Set<ServerResponse>();
  const keys = { written: 0, open: 0 };
  let isGone = false;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    requests.push(`${request.method} ${url.pathname}`);
    if (isGone) return void request.socket.destroy();
    void answer(url, request, response);
  });

  const answer = async (url: URL, request: IncomingMessage, response: ServerResponse) => {
    const json = (value: unknown, status = 200) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    if (url.pathname === "/") {
      response.writeHead(200, {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy("n0nce"),
      });
      return response.end(pageHtml.replaceAll("__NONCE__", "n0nce"));
    }
    if (answers.status !== undefined) return json({ error: `refused with ${answers.status}` }, answers.status);
    switch (url.pathname) {
      case "/api/info":
        return json(answers.info);
      case "/api/entry":
        return json({ entry: { ...answers.entry, storedKey: url.searchParams.get("key") }, why: answers.why });
      case "/api/health":
        return json(answers.findings);
      case "/api/live":
        response.writeHead(200, { "content-type": "text/event-stream" });
        streams.add(response);
        response.on("close", () => streams.delete(response));
        return response.write(eventOf(answers.live));
      case "/api/keys":
        return sendKeys(answers, keys, response, Number(url.searchParams.get("limit")));
      case "/api/preview":
      case "/api/purge":
        posts.push({ path: url.pathname, body: await bodyOf(request), token: tokenOf(request) });
        return sendWork(answers, url.pathname === "/api/preview", response);
    }
    json({ error: "not found" }, 404);
  };

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    answers,
    requests,
    posts,
    keys,
    get streams() {
      return streams.size;
    },
    tick(atMs = Date.now()) {
      answers.live = { ...answers.live, atMs };
      for (const stream of streams) stream.write(eventOf(answers.live));
    },
    cut() {
      for (const stream of streams) stream.end();
    },
    setGone(gone) {
      isGone = gone;
      if (gone) server.closeAllConnections();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const eventOf = (live: Live) => `event: live\ndata: ${JSON.stringify(live)}\n\n`;

const tokenOf = ({ headers }: IncomingMessage) => headers["x-csrf-token"]?.toString();

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

/** As the real server does: the next batch is made when the client has read the last one, and no more than the limit. */
async function sendKeys(
  answers: Answers,
  keys: PageServer["keys"],
  response: ServerResponse,
  limit: number,
): Promise<void> {
  const { rows, batch, total } = answers;
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  const send = (line: object) => response.write(`${JSON.stringify(line)}\n`);
  keys.open += 1;
  const closed = new AbortController();
  response.on("close", () => {
    keys.open -= 1;
    closed.abort();
  });
  let scanned = 0;
  for (let start = 0; start < rows.length && start < limit; start += batch) {
    await answers.beforeBatch?.(start);
    const end = Math.min(rows.length, start + batch);
    scanned = Math.round((end / rows.length) * total);
    keys.written += 1;
    if (!send({ rows: rows.slice(start, end), scanned, total })) {
      await once(response, "drain", { signal: closed.signal }).catch(() => undefined);
    }
    if (response.destroyed) return;
  }
  send(rows.length > limit ? { more: true, scanned } : { done: true, scanned: total });
  response.end();
}

async function sendWork(
  { preview, steps, total }: Answers,
  isPreview: boolean,
  response: ServerResponse,
): Promise<void> {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  const send = (line: unknown) => response.write(`${JSON.stringify(line)}\n`);
  for (let step = 1; step <= Math.min(steps, 20); step += 1) {
    const progress = {
      scanned: (total * step) / 20,
      total,
      matched: Math.round((preview.matched * step) / 20),
      bytes: 0,
    };
    send({ progress });
  }
  if (steps === Number.POSITIVE_INFINITY) return;
  send(isPreview ? { preview } : { done: { scanned: total, total, matched: preview.matched, bytes: preview.bytes } });
  response.end();
}
