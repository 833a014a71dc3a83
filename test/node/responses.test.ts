import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { until } from "../support/wait.js";
import { begin, open, SERVERS } from "./servers.js";

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

type Req = IncomingMessage;
type Res = ServerResponse;

const HTTP1 = SERVERS.filter(({ isHttp1 }) => isHttp1);
const [EXPRESS] = SERVERS;
const PLAIN = SERVERS.find(({ name }) => name === "node:http");
if (!EXPRESS || !PLAIN) throw new Error("the servers have changed");

/** Whether the response may be stored: both ways of a response have to look alike to a handler. */
const LIFETIMES = ["max-age=60", "no-store"] as const;

describe.each(SERVERS)("a response that a handler makes in $name", (kind) => {
  describe.each(LIFETIMES)("with Cache-Control: %s", (lifetime) => {
    it("is sent as the handler writes it, with its callbacks and events", async () => {
      const seen: string[] = [];
      await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
        seen.push(`sent ${res.headersSent}`);
        res.setHeader("Cache-Control", lifetime);
        res.on("finish", () => seen.push("finish"));
        res.on("close", () => seen.push("close"));
        res.write("one ", () => {
          seen.push("written");
          res.end("two", () => seen.push("ended"));
          seen.push(`ended ${res.writableEnded}`);
        });
        seen.push(`sent ${res.headersSent}`);
      });
      expect((await app.get()).body).toBe("one two");
      await until(() => seen.includes("close"), { what: "the end of the response" });
      expect(seen.slice(0, 4)).toEqual(["sent false", "sent true", "written", "ended true"]);
      expect(seen.slice(4).sort()).toEqual(["close", "ended", "finish"]);
      expect(seen.at(-1)).toBe("close");
    });

    it("refuses changes of the head that was written", async () => {
      const errors: unknown[] = [];
      const attempt = (work: () => unknown): void => {
        try {
          work();
        } catch (error) {
          errors.push((error as NodeJS.ErrnoException).code);
        }
      };
      await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
        res.setHeader("Cache-Control", lifetime);
        res.write("body");
        attempt(() => res.setHeader("X-Late", "1"));
        attempt(() => res.removeHeader("Cache-Control"));
        attempt(() => res.writeHead(500));
        res.end();
      });
      const { status, headers } = await app.get();
      expect(errors).toEqual(
        Array.from({ length: 3 }, () =>
          kind.isHttp1 ? "ERR_HTTP_HEADERS_SENT" : expect.stringMatching(/HEADERS_SENT/),
        ),
      );
      expect([status, headers.get("x-late"), headers.get("cache-control")]).toEqual([200, null, lifetime]);
    });

    it("ends once, although the handler ends it twice", async () => {
      await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
        res.setHeader("Cache-Control", lifetime);
        res.end("once");
        res.end();
      });
      expect((await app.get()).body).toBe("once");
    });

    it("has a body that is piped with back-pressure", async () => {
      const parts = Array.from({ length: 200 }, (_none, i) => Buffer.alloc(4_000, i));
      await using app = await open(kind, { cache }, async (_req: Req, res: Res) => {
        res.setHeader("Cache-Control", lifetime);
        await pipeline(Readable.from(parts), res);
      });
      const { body } = await app.get();
      expect(body.length).toBeGreaterThan(700_000);
      expect((await app.get()).body).toBe(body);
    });

    it("may have its head in any form that writeHead takes", async () => {
      await using app = await open(kind, { cache }, (req: Req, res: Res) => {
        if (req.url === "/list" && kind.isHttp1)
          res.writeHead(202, ["Cache-Control", lifetime, "X-A", "1", "X-A", "2"]);
        else res.writeHead(202, { "Cache-Control": lifetime, "X-A": ["1", "2"] });
        res.end();
      });
      for (const path of ["/list", "/object"]) {
        const got = await app.get(path);
        expect([got.status, got.headers.get("x-a")]).toEqual([202, "1, 2"]);
      }
    });
  });

  it("has no body where its status allows none", async () => {
    await using app = await open(kind, { cache }, (req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      res.statusCode = Number(req.url?.slice(1));
      res.end();
    });
    for (const status of [204, 304]) expect((await app.get(`/${status}`)).status).toBe(status);
  });

  it("may be sent before it has a body", async () => {
    let end = (): void => {};
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "no-store");
      res.setHeader("Content-Type", "text/event-stream");
      res.flushHeaders();
      end = () => res.end("data: last\n\n");
    });
    const asked = app.head("/");
    const { status, body } = await asked;
    expect(status).toBe(200);
    end();
    expect(await body).toBe("data: last\n\n");
  });
});

describe.each(HTTP1)("over HTTP/1.1 in $name", (kind) => {
  it("informational responses reach the client at once", async () => {
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.writeEarlyHints({ link: "</style.css>; rel=preload" });
      res.setHeader("Cache-Control", "max-age=60");
      res.end("page");
    });
    const asked = begin(app.port, "/").end();
    const [[hints], [response]] = await Promise.all([once(asked, "information"), once(asked, "response")]);
    expect([hints.statusCode, hints.headers.link]).toEqual([103, "</style.css>; rel=preload"]);
    response.resume();
    expect(response.statusCode).toBe(200);
  });

  it("a response with trailers is passed on with them, and not stored", async () => {
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.writeHead(200, { "Cache-Control": "max-age=60", Trailer: "X-Sum" });
      res.write("body");
      res.addTrailers({ "X-Sum": "4" });
      res.end();
    });
    for (let i = 0; i < 2; i++) {
      const asked = begin(app.port, "/").end();
      const [response] = await once(asked, "response");
      response.resume();
      await once(response, "end");
      expect([response.headers["cache-status"], response.trailers]).toEqual([
        "valkey-edge-cache; fwd=uri-miss",
        { "x-sum": "4" },
      ]);
    }
  });

  it("the reason phrase of a handler is kept where nothing is stored", async () => {
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.writeHead(200, "Fine", { "Cache-Control": "no-store" });
      res.end();
    });
    const asked = begin(app.port, "/").end();
    const [response] = await once(asked, "response");
    response.resume();
    expect(response.statusMessage).toBe("Fine");
  });

  it("events reach the client as they are written, and the client's end reaches the handler", async () => {
    let isClosed = false;
    let write = (_text: string): void => {};
    await using app = await open(kind, { cache }, (req: Req, res: Res) => {
      res.writeHead(200, { "Content-Type": "text/event-stream" });
      write = (text) => void res.write(text);
      req.on("close", () => (isClosed = true));
      write("data: 1\n\n");
    });
    const asked = begin(app.port, "/").end();
    const [response] = await once(asked, "response");
    const texts: string[] = [];
    response.on("data", (chunk: Buffer) => texts.push(String(chunk)));
    response.on("error", () => {});
    await until(() => texts.length === 1, { what: "the first event" });
    write("data: 2\n\n");
    await until(() => texts.length === 2, { what: "the second event" });
    expect(isClosed).toBe(false);
    response.destroy();
    await until(() => isClosed, { what: "the handler to see that its client has left" });
  });

  it("a client that reads slowly holds up a body that is not stored", async () => {
    let written = 0;
    let isDone = false;
    await using app = await open(kind, { cache }, async (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      const body = async function* () {
        for (let i = 0; i < 1_000; i++) {
          written += 100_000;
          yield Buffer.alloc(100_000);
        }
      };
      await pipeline(Readable.from(body()), res);
      isDone = true;
    });
    const asked = begin(app.port, "/").end();
    const [response] = await once(asked, "response");
    response.pause();
    let last = -1;
    await until(
      () => {
        const isStill = written > 0 && written === last;
        last = written;
        return isStill;
      },
      { what: "the handler to be held up", everyMs: 200 },
    );
    // What the sockets hold, what is kept until the body is too large to be stored, and the streams between them.
    expect(written).toBeLessThan(30_000_000);
    expect(isDone).toBe(false);
    let read = 0;
    for await (const chunk of response) read += chunk.length;
    expect([read, isDone]).toEqual([100_000_000, true]);
  });
});
