import { connect } from "node:net";
import { stream } from "hono/streaming";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Cache } from "../../src/index.js";
import { HONO_CALLED, OVER_HTTP1 } from "../adapters/hono.js";
import { type Attack, type Handler, type HttpHost, SHOP, type SiteOptions } from "../adapters/host.js";
import { HTTP_HOSTS, HTTP1_HOSTS } from "../adapters/hosts.js";
import { FRESH, newCache, rawServer, text } from "../adapters/replies.js";
import { testApp } from "../hono/app.js";
import { deferred } from "../support/deferred.js";
import { HOST } from "../support/ports.js";
import { until } from "../support/wait.js";

const PAGE = "0123456789";

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

// node-server logs bodies that fail.
beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});

/** A body that is made of chunks, and ends as `end` says. */
function bodyOf(chunks: readonly string[], end: "close" | Error | Promise<void>): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = chunks[at++];
      if (chunk !== undefined) return controller.enqueue(new TextEncoder().encode(chunk));
      if (end instanceof Error) controller.error(end);
      else {
        if (end !== "close") await end;
        controller.close();
      }
    },
  });
}

const longer = { ...FRESH, "content-length": "20" };
const broken = new Error("the origin went away");

/** The first response of a handler is cut short in some way; all others are whole. */
async function cutShortOnce(host: HttpHost, first: () => Response, given: SiteOptions = {}) {
  let runs = 0;
  const handler: Handler = () => (++runs === 1 ? first() : text(PAGE, 200, FRESH));
  const options = { awaitBackground: true, retryAfter: 0, ...given };
  await using opened = await host.open({ cache, handler, options });
  await opened.send().catch(() => {});
  const [second, third] = [await opened.send(), await opened.send()];
  return { runs, bodies: [second.body, third.body], how: third.how };
}

describe.each(HTTP_HOSTS)("CWE-524, a truncated response, through $name, is not stored:", (host) => {
  it.each<[string, () => Response]>([
    ["one shorter than its Content-Length", () => new Response("0123", { headers: longer })],
    ["one longer than its Content-Length", () => new Response(PAGE, { headers: { ...FRESH, "content-length": "4" } })],
    ["none at all in spite of its Content-Length", () => new Response(null, { headers: longer })],
    ["a stream that closes early", () => new Response(bodyOf(["01", "23"], "close"), { headers: longer })],
    ["a stream that fails", () => new Response(bodyOf(["01", "23"], broken), { headers: FRESH })],
    ["a stream that fails at once", () => new Response(bodyOf([], broken), { headers: FRESH })],
    ["a stream that fails after its length", () => new Response(bodyOf(["01", PAGE], broken), { headers: longer })],
    [
      "one with a length that a cache is told to drop",
      () => new Response("0123", { headers: { ...longer, "cache-control": 'max-age=60, private="content-length"' } }),
    ],
    [
      "one with a length that Connection names",
      () => new Response("0123", { headers: { ...longer, connection: "content-length" } }),
    ],
    [
      "a partial response",
      () => new Response("0123", { status: 206, headers: { ...FRESH, "content-range": "bytes 0-3/10" } }),
    ],
  ])("%s", async (_what, first) => {
    expect(await cutShortOnce(host, first)).toEqual({
      runs: 2,
      bodies: [PAGE, PAGE],
      how: expect.stringMatching(/^hit/),
    });
  });

  it("one that is larger than the limit", async () => {
    const got = await cutShortOnce(host, () => text("x".repeat(21), 200, FRESH), { maxBodySize: 20 });
    expect(got.bodies).toEqual([PAGE, PAGE]);
  });
});

describe("CWE-524, a response that is cut short when it replaces a stored one,", () => {
  it("in the background leaves the stored one", async () => {
    let runs = 0;
    const errors: unknown[] = [];
    const { app, get } = testApp(cache, { onError: (error) => errors.push(error) });
    const stale = { "cache-control": "max-age=0, stale-while-revalidate=60" };
    app.get("*", (c) =>
      ++runs === 1 ? c.text(PAGE, 200, stale) : new Response(bodyOf(["01"], broken), { headers: FRESH }),
    );
    await get("/");
    await until(async () => (await get("/")).how.startsWith("hit") && runs === 2, { what: "the refresh" });
    for (let i = 0; i < 5; i++) expect((await get("/")).body).toBe(PAGE);
  });

  it("for a reload leaves the stored one", async () => {
    let runs = 0;
    const { app, get } = testApp(cache, { awaitBackground: true });
    app.get("*", (c) => (++runs === 1 ? c.text(PAGE, 200, FRESH) : new Response("0123", { headers: longer })));
    await get("/");
    await get("/", { headers: { "cache-control": "no-cache" } }).catch(() => {});
    expect(await get("/")).toMatchObject({ body: PAGE, how: expect.stringMatching(/^hit/) });
  });
});

describe("CWE-524, a client that leaves", () => {
  it("in the middle of a body leaves the whole body to the others", async () => {
    const left = deferred<void>();
    const signals: AbortSignal[] = [];
    const { app, get } = testApp(cache, {}, (outer) => {
      outer.use(async (c, next) => {
        signals.push(c.req.raw.signal);
        await next();
      });
    });
    app.get("*", (c) => {
      c.header("cache-control", "max-age=60");
      return stream(c, async (out) => {
        await out.write("01234");
        await left.promise;
        if (!c.req.raw.signal.aborted) await out.write("56789");
      });
    });
    await using opened = await OVER_HTTP1.open(app);
    const socket = connect(opened.raw.port, HOST, () => socket.write(`GET / HTTP/1.1\r\nHost: ${SHOP}\r\n\r\n`));
    await new Promise((resolve) => socket.once("data", resolve));
    socket.resetAndDestroy();
    await until(() => signals[0]?.aborted, { what: "the server to see it" });
    left.resolve();
    const hit = await until(
      async () => {
        const got = await get(`http://${SHOP}/`);
        return got.how.startsWith("hit") ? got : undefined;
      },
      { what: "a hit" },
    );
    expect(hit.body).toBe(PAGE);
  });
});

describe.each(HTTP_HOSTS)("CWE-444, a GET with a body, through $name, takes no part in the cache:", (host) => {
  const smuggled = `GET /admin HTTP/1.1\r\nHost: ${SHOP}\r\nX-Own: evil\r\n\r\n`;

  it.each<[string, Attack]>([
    ["a body with its length", { body: "evil" }],
    ["a body that looks like a request", { body: smuggled }],
    ["a length without a body", { fields: { "content-length": "0004" } }],
    ["a length of 0, written in another way", { fields: { "content-length": "00" } }],
    ["a negative length", { fields: { "content-length": "-1" } }],
    [
      "two lengths",
      {
        fields: [
          ["content-length", "0"],
          ["content-length", "4"],
        ],
        body: "evil",
      },
    ],
    ["Transfer-Encoding", { fields: { "transfer-encoding": "chunked" }, body: "4\r\nevil\r\n0\r\n\r\n" }],
    ["an unknown Transfer-Encoding", { fields: { "transfer-encoding": "xchunked" }, body: "4\r\nevil\r\n0\r\n\r\n" }],
    [
      "both of them",
      { fields: { "content-length": "4", "transfer-encoding": "chunked" }, body: `0\r\n\r\n${smuggled}` },
    ],
    ["an upgrade", { fields: { connection: "upgrade", upgrade: "h2c" } }],
    ["a precondition", { fields: { "if-match": '"evil"' } }],
  ])("%s", async (_what, attack) => {
    let runs = 0;
    const handler: Handler = async (_request, shown) => {
      runs++;
      const body = await shown.body().catch(() => "broken");
      const names = ["content-length", "transfer-encoding", "upgrade", "if-match"];
      const isSeen = names.some((name) => shown.values(name).some((value) => value !== "0"));
      return text(`${shown.path} ${isSeen ? "evil" : ""}${body}`, 200, FRESH);
    };
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    let isOver = false;
    const attacked = opened.send(attack).finally(() => {
      isOver = true;
    });
    attacked.catch(() => {});
    // A server may wait for more of the body for long.
    await until(() => isOver || runs > 0, { what: "the attack" });
    for (let i = 0; i < 2; i++) {
      expect((await opened.send()).body).toBe("/ ");
      expect((await opened.send({ target: "/admin" })).body).toBe("/admin ");
    }
    expect((await opened.send()).how).toMatch(/^hit/);
  });
});

describe.each(HTTP1_HOSTS)("CWE-444, requests that are sent in one piece, through $name:", (host) => {
  const victim = `GET /victim HTTP/1.1\r\nHost: ${SHOP}\r\nConnection: close\r\n\r\n`;

  it.each<[string, string]>([
    ["a length that ends within the next request", `GET /x HTTP/1.1\r\nHost: ${SHOP}\r\nContent-Length: 6\r\n\r\n`],
    [
      "both kinds of length",
      `GET /x HTTP/1.1\r\nHost: ${SHOP}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      "a chunk size with an extension",
      `GET /x HTTP/1.1\r\nHost: ${SHOP}\r\nTransfer-Encoding: chunked\r\n\r\n0;a\n b\r\n\r\n`,
    ],
    ["line ends without a carriage return", `GET /x HTTP/1.1\nHost: ${SHOP}\nContent-Length: 2\n\nab`],
    [
      "a Transfer-Encoding with white space",
      `GET /x HTTP/1.1\r\nHost: ${SHOP}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    ],
  ])("%s poisons nothing that is stored", async (_what, first) => {
    const handler: Handler = ({ method, url }) => text(`${method} ${url}`, 200, FRESH);
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    await rawServer(opened).sendText(`${first}${victim}`);
    for (let i = 0; i < 2; i++) {
      for (const target of ["/x", "/victim"]) {
        expect((await opened.send({ target })).body).toBe(`GET http://${SHOP}${target}`);
      }
    }
  });

  it("two responses in one piece are each stored for their own URL", async () => {
    const handler: Handler = (_request, { path }) => text(path, 200, FRESH);
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    const both = await rawServer(opened).sendText(`GET /first HTTP/1.1\r\nHost: ${SHOP}\r\n\r\n${victim}`);
    expect(both.indexOf("/first")).toBeLessThan(both.indexOf("/victim"));
    for (const target of ["/first", "/victim"]) {
      expect(await opened.send({ target })).toMatchObject({ body: target, how: expect.stringMatching(/^hit/) });
    }
  });
});

describe.each(HTTP_HOSTS)("CWE-113, a response with odd framing, through $name,", (host) => {
  it.each<[string, Record<string, string>]>([
    ["with both Content-Length and Transfer-Encoding", { "content-length": "10", "transfer-encoding": "chunked" }],
    ["with Transfer-Encoding", { "transfer-encoding": "chunked" }],
    ["with a Trailer", { trailer: "x-evil" }],
    ["with a Connection that names fields of its own", { connection: "x-evil, keep-alive", "x-evil": "evil" }],
    ["with Keep-Alive", { "keep-alive": "timeout=600" }],
    ["with Proxy-Authenticate", { "proxy-authenticate": "Basic evil" }],
  ])("%s, is stored without what belongs to one connection", async (_what, headers) => {
    // Servers don't let handlers send all of these, so it is made where there is none.
    const handler: Handler = () => new Response(PAGE, { headers: { ...FRESH, ...headers } });
    const site = { cache, handler, options: { awaitBackground: true } };
    await using made = await HONO_CALLED.open(site);
    await made.send();
    await using opened = await host.open(site);
    const hit = await opened.send();
    expect([hit.body, hit.how.slice(0, 3)]).toEqual([PAGE, "hit"]);
    for (const name of ["x-evil", "trailer", "proxy-authenticate"]) expect(hit.headers.get(name)).toBeNull();
    expect(String(hit.headers.get("keep-alive"))).not.toContain("600");
  });

  it("by a value that would split the response, stores nothing", async () => {
    const handler: Handler = ({ url }) =>
      text(PAGE, 200, { ...FRESH, "x-lang": new URL(url).searchParams.get("lang") ?? "en" });
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true, retryAfter: 0 } });
    const evils = ["%0d%0aSet-Cookie:%20a=evil", "%0aX-Evil:%20evil", "%0d%0a%0d%0aevil", "%00evil", "%01evil"];
    for (const lang of evils) {
      const target = `/?lang=a${lang}`;
      for (let i = 0; i < 2; i++) {
        const { body, headers, how } = await opened
          .send({ target })
          .catch(() => ({ body: "", headers: new Headers(), how: "" }));
        expect(body).not.toContain("evil");
        expect([headers.get("x-evil"), headers.getSetCookie()]).toEqual([null, []]);
        expect(how).not.toMatch(/^hit/);
      }
    }
    await opened.send({ target: "/?lang=de" });
    expect((await opened.send({ target: "/?lang=de" })).how).toMatch(/^hit/);
  });
});
