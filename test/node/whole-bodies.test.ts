import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { stopwatch } from "../support/stopwatch.js";
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

/** Asks over HTTP/1.1, and leaves when something of the body has come, or when `leave` resolves. */
async function leaveEarly(port: number, leave?: Promise<void>): Promise<void> {
  const asked = begin(port, "/");
  asked.on("error", () => {});
  asked.end();
  if (leave) await leave;
  else {
    const [response] = await once(asked, "response");
    response.on("error", () => {});
    await once(response, "data");
  }
  asked.destroy();
}

describe.each(HTTP1)("a client of $name that leaves", (kind) => {
  it("does not stop the handler while its response may be stored", async () => {
    const gate = deferred<void>();
    const seen: string[] = [];
    let isSeen = false;
    const watch = (_req: Req, res: Res, next: () => void): void => {
      res.on("close", () => (isSeen = true));
      next();
    };
    await using app = await open(kind, { cache, outside: [watch] }, async (req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      for (const name of ["close", "aborted"]) req.on(name, () => seen.push(`request ${name}`));
      res.on("close", () => seen.push("response close"));
      res.write("first ");
      await gate.promise;
      seen.push(`destroyed ${res.destroyed} ${req.destroyed} ${req.aborted}`);
      res.end("last");
    });
    await leaveEarly(app.port);
    await until(() => isSeen, { what: "the server to see it" });
    gate.resolve();
    await until(() => seen.includes("response close"), { what: "the handler to be notified" });
    expect(seen[0]).toBe("destroyed false false false");
    const got = await until(async () => ((await app.get()).how.startsWith("hit") ? app.get() : undefined), {
      what: "a hit",
    });
    expect(got.body).toBe("first last");
  });

  it("before the head does not stop the handler either", async () => {
    const gate = deferred<void>();
    const asked = deferred<void>();
    let calls = 0;
    let isSeen = false;
    const watch = (_req: Req, res: Res, next: () => void): void => {
      res.on("close", () => (isSeen = true));
      next();
    };
    await using app = await open(kind, { cache, outside: [watch] }, async (_req: Req, res: Res) => {
      calls++;
      asked.resolve();
      await gate.promise;
      res.setHeader("Cache-Control", "max-age=60");
      res.end("page");
    });
    await leaveEarly(app.port, asked.promise);
    await until(() => isSeen, { what: "the server to see it" });
    gate.resolve();
    const got = await until(async () => ((await app.get()).how.startsWith("hit") ? app.get() : undefined), {
      what: "a hit",
    });
    expect([got.body, calls]).toEqual(["page", 1]);
  });

  it("before the head ends a handler whose body is too large to be stored", async () => {
    const gate = deferred<void>();
    const asked = deferred<void>();
    const closed = deferred<string>();
    let isSeen = false;
    const watch = (_req: Req, res: Res, next: () => void): void => {
      res.on("close", () => (isSeen = true));
      next();
    };
    const options = { cache, outside: [watch], maxBodySize: 1_000 };
    await using app = await open(kind, options, async (_req: Req, res: Res) => {
      asked.resolve();
      await gate.promise;
      res.setHeader("Cache-Control", "max-age=60");
      res.on("close", () => closed.resolve("closed"));
      for (let i = 0; i < 100; i++) {
        if (!res.write(Buffer.alloc(100_000))) await Promise.race([once(res, "drain"), closed.promise]);
      }
      res.end();
    });
    await leaveEarly(app.port, asked.promise);
    await until(() => isSeen, { what: "the server to see it" });
    gate.resolve();
    expect(await closed.promise).toBe("closed");
  });

  it("is not followed by a stored response that the handler has ended early for it", async () => {
    let calls = 0;
    await using app = await open(kind, { cache }, (req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      if (++calls > 1) return void res.end("whole body");
      res.write("whole ");
      // As on-finished does.
      req.socket.on("close", () => res.end());
    });
    await leaveEarly(app.port);
    await until(async () => (await app.get()).body === "whole body", { what: "the whole body" });
    expect((await app.get()).body).toBe("whole body");
  });

  it("ends the lease of a handler that has stopped to write for it", async () => {
    let calls = 0;
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      if (++calls > 1) res.end("whole body");
      else res.write("whole ");
    });
    await leaveEarly(app.port);
    const took = stopwatch();
    expect((await app.get()).body).toBe("whole body");
    expect(took()).toBeLessThan(4_000);
  });
});

describe.each(SERVERS)("a body that is cut short in $name", (kind) => {
  it.each([
    ["destroys its response", (res: Res) => res.destroy()],
    ["fails it with an error", (res: Res) => res.destroy(new Error("broken"))],
  ])("is not stored when the handler %s", async (_how, stop) => {
    let calls = 0;
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      if (++calls > 1) return void res.end("whole body");
      res.write("whole ");
      setImmediate(() => stop(res));
    });
    await app.get().catch(() => {});
    expect((await app.get()).body).toBe("whole body");
  });

  it("is not stored when it has fewer bytes than its Content-Length", async () => {
    let calls = 0;
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      res.setHeader("Content-Length", 10);
      if (++calls > 1) return void res.end("whole body");
      res.write("whole ");
      setImmediate(() => res.destroy());
    });
    await app.get().catch(() => {});
    expect((await app.get()).body).toBe("whole body");
  });
});

describe.each(SERVERS)("in $name", (kind) => {
  it("a body goes on for the store after its client was answered with 304", async () => {
    const gate = deferred<void>();
    const seen: string[] = [];
    await using app = await open(kind, { cache }, async (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      res.setHeader("ETag", '"a"');
      res.on("close", () => seen.push("close"));
      res.write("first ");
      await gate.promise;
      seen.push("last");
      res.end("last");
    });
    expect((await app.get("/", { headers: { "if-none-match": '"a"' } })).status).toBe(304);
    gate.resolve();
    const got = await until(async () => ((await app.get()).how.startsWith("hit") ? app.get() : undefined), {
      what: "a hit",
    });
    expect(got.body).toBe("first last");
    expect(seen.slice(0, 2)).toEqual(["last", "close"]);
  });

  it("a handler that is too late does not disturb the stale response in its place", async () => {
    const gate = deferred<void>();
    const done = deferred<unknown>();
    let calls = 0;
    await using app = await open(
      kind,
      { cache, originTimeout: "50ms", staleIfError: "1h" },
      async (_req: Req, res: Res) => {
        res.setHeader("Cache-Control", "max-age=0");
        if (++calls === 1) return void res.end("stale");
        res.setHeader("X-Half", "1");
        await gate.promise;
        try {
          res.statusCode = 500;
          res.setHeader("X-Late", "1");
          res.write("late");
          res.end();
          done.resolve(`sent ${res.headersSent}`);
        } catch (error) {
          done.resolve(error);
        }
      },
    );
    await app.get();
    const got = await app.get();
    expect([got.status, got.body, got.headers.get("x-half")]).toEqual([200, "stale", null]);
    gate.resolve();
    expect(await done.promise).toBe("sent true");
  });
});
