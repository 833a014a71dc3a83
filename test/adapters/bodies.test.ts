import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Cache } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { HOST } from "../support/ports.js";
import { until } from "../support/wait.js";
import { type Got, type Handler, type Opened, SHOP } from "./host.js";
import { HTTP_HOSTS, HTTP1_HOSTS } from "./hosts.js";
import { FRESH, newCache, rawServer, streamOf, text } from "./replies.js";

const MEGABYTE = "x".repeat(1_048_576);

let cache: Cache;

beforeEach(() => {
  cache = newCache();
  // Servers log bodies that fail.
  vi.spyOn(console, "error").mockImplementation(() => {});
});

afterEach(() => cache.close());

/** Asks until the answer comes from the store. */
const hit = ({ send }: Opened): Promise<Got> =>
  until(
    async () => {
      const got = await send();
      return got.how.startsWith("hit") ? got : undefined;
    },
    { what: "a hit" },
  );

/** A client that sends a request, and has received the first bytes. */
async function receiving(opened: Opened): Promise<Socket> {
  const socket = connect(rawServer(opened).port, HOST);
  socket.write(`GET / HTTP/1.1\r\nHost: ${SHOP}\r\n\r\n`);
  await new Promise((resolve) => socket.once("data", resolve));
  return socket;
}

describe.each(HTTP_HOSTS)("a body through $name", (host) => {
  it.each<[string, () => Response, string]>([
    ["in one piece", () => text("whole", 200, FRESH), "whole"],
    ["in pieces", () => new Response(streamOf(["a", "b", "c"]), { headers: FRESH }), "abc"],
    [
      "in pieces that take a while",
      () =>
        new Response(streamOf(["a", new Promise((resolve) => setImmediate(resolve)), "b"]), {
          headers: { ...FRESH, "content-length": "2" },
        }),
      "ab",
    ],
    ["of a megabyte", () => text(MEGABYTE, 200, FRESH), MEGABYTE],
    [
      "that a client has as another coding",
      () => text("zipped", 200, { ...FRESH, "content-encoding": "x-own" }),
      "zipped",
    ],
  ])("%s is stored as its client has it", async (_what, answer, body) => {
    await using opened = await host.open({ cache, handler: answer });
    expect((await opened.send()).body === body).toBe(true);
    const again = await hit(opened);
    expect(again.body === body).toBe(true);
    expect(again.headers.get("content-encoding")).toBe(answer().headers.get("content-encoding"));
  });

  it("beyond maxBodySize is passed on and not stored, and the handler then gets the client's ranges", async () => {
    const ranges: string[] = [];
    const handler: Handler = (_request, shown) => {
      ranges.push(shown.values("range")[0] ?? "none");
      return text(MEGABYTE, 200, FRESH);
    };
    await using opened = await host.open({ cache, handler, options: { maxBodySize: 1_000, awaitBackground: true } });
    for (const fields of [{}, { range: "bytes=0-1" }]) {
      const got = await opened.send({ fields });
      // Of a response in one piece, the client may have the part that it asked for.
      expect(got.body).toHaveLength(got.status === 206 ? 2 : MEGABYTE.length);
      expect(got.how).not.toMatch(/hit|stored/);
    }
    expect(ranges).toEqual(["none", "bytes=0-1"]);
  });

  it.each<[string, () => Response]>([
    ["fails", () => new Response(streamOf(["a", new Error("broken")]), { headers: FRESH })],
    [
      "fails after its length",
      () => new Response(streamOf(["ab", new Error("broken")]), { headers: { ...FRESH, "content-length": "2" } }),
    ],
    ["is too short", () => new Response(streamOf(["a"]), { headers: { ...FRESH, "content-length": "2" } })],
    ["is too long in one piece", () => text("abc", 200, { ...FRESH, "content-length": "2" })],
  ])("that %s is not stored", async (what, answer) => {
    let runs = 0;
    const handler: Handler = () => {
      runs++;
      return answer();
    };
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true, retryAfter: 0 } });
    for (let i = 0; i < 3; i++) await opened.send().catch(() => {});
    // One that goes on after its length is stored up to there.
    if (what === "fails after its length") expect(runs).toBeGreaterThan(0);
    else expect(runs).toBe(3);
  });
});

describe.each(HTTP1_HOSTS)("a body on its way through $name", (host) => {
  it.each(["max-age=60", "no-store", "private"])("reaches the client as it is made, under %s", async (control) => {
    const first = deferred();
    const body = () => streamOf(["first", first.promise, "second"]);
    const handler: Handler = () => new Response(body(), { headers: { "cache-control": control } });
    await using opened = await host.open({ cache, handler });
    const socket = connect(rawServer(opened).port, HOST);
    socket.write(`GET / HTTP/1.1\r\nHost: ${SHOP}\r\nConnection: close\r\n\r\n`);
    let received = "";
    for await (const chunk of socket) {
      received += String(chunk);
      if (received.includes("first")) first.resolve();
    }
    expect(received).toMatch(/first.*second/s);
  });

  it("is stored whole although its client leaves, and others wait for it", async () => {
    let runs = 0;
    const left = deferred();
    const handler: Handler = () => {
      runs++;
      return new Response(streamOf(["first ", left.promise, "second"]), { headers: FRESH });
    };
    await using opened = await host.open({ cache, handler, options: { waitTimeout: "1h" } });
    const leaving = await receiving(opened);
    const waiting = opened.send();
    leaving.resetAndDestroy();
    await new Promise((resolve) => leaving.once("close", resolve));
    left.resolve();
    expect((await waiting).body).toBe("first second");
    expect((await hit(opened)).body).toBe("first second");
    expect(runs).toBe(1);
  });

  it("is stored whole although its client leaves before its first byte", async () => {
    let runs = 0;
    const [asked, left] = [deferred(), deferred()];
    const handler: Handler = async () => {
      runs++;
      asked.resolve();
      await left.promise;
      return text("whole", 200, FRESH);
    };
    await using opened = await host.open({ cache, handler });
    const leaving = connect(rawServer(opened).port, HOST);
    leaving.write(`GET / HTTP/1.1\r\nHost: ${SHOP}\r\n\r\n`);
    await asked.promise;
    leaving.resetAndDestroy();
    await new Promise((resolve) => leaving.once("close", resolve));
    left.resolve();
    expect((await hit(opened)).body).toBe("whole");
    expect(runs).toBe(1);
  });

  it("is stored while a client reads slowly, and is read ahead of it no further than maxBodySize", async () => {
    let pulled = 0;
    const parts = function* (count: number): Generator<string> {
      for (; pulled < count; pulled++) yield MEGABYTE;
    };
    const handler: Handler = (_request, { path }) =>
      path === "/"
        ? new Response(streamOf(["a", MEGABYTE.slice(1)]), { headers: FRESH })
        : new Response(streamOf(parts(150)), { headers: FRESH });
    await using opened = await host.open({ cache, handler });
    const slow = await receiving(opened);
    slow.pause();
    expect((await hit(opened)).body).toHaveLength(MEGABYTE.length);
    slow.destroy();
    const endless = connect(rawServer(opened).port, HOST);
    endless.write(`GET /endless HTTP/1.1\r\nHost: ${SHOP}\r\n\r\n`);
    await new Promise((resolve) => endless.once("data", resolve));
    endless.pause();
    let before = -1;
    const isAtRest = (): boolean => {
      const isSame = before === pulled;
      before = pulled;
      return isSame;
    };
    await until(isAtRest, { what: "the handler to wait for its client", everyMs: 100 });
    expect(pulled).toBeLessThan(100);
    endless.destroy();
  });
});
