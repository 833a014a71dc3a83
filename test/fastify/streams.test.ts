import { request as httpRequest, type IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { describe, expect, it, vi } from "vitest";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";
import { hit, testApp } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };

/** A stream that counts what was read of it. */
function counting(chunks: number, size = 65_536) {
  const state = { read: 0, isDestroyed: false };
  const body = new Readable({
    read() {
      this.push(state.read++ < chunks ? Buffer.alloc(size, "x") : null);
    },
    destroy(error, done) {
      state.isDestroyed = true;
      done(error);
    },
  });
  return { state, body };
}

/** The response to a request whose body is not read. */
function unread(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpRequest(url, resolve).on("error", reject).end();
  });
}

describe("a stream of Node", () => {
  it("is stored whole although its client leaves", async () => {
    const left = deferred();
    const { app, get, url } = await testApp();
    let runs = 0;
    app.get("/", (_request, reply) => {
      runs++;
      const parts = async function* () {
        yield "first ";
        await left.promise;
        yield "last";
      };
      return reply.headers(FRESH).send(Readable.from(parts(), { objectMode: false }));
    });
    const response = await unread(await url());
    const closed = new Promise((resolve) => response.on("close", resolve));
    response.on("error", () => {}).destroy();
    await closed;
    left.resolve();
    expect((await hit(() => get("/"))).body).toBe("first last");
    expect(runs).toBe(1);
  });

  it("is destroyed when its client leaves and nothing is stored", async () => {
    const { state, body } = counting(1_000_000);
    const { app, url } = await testApp();
    app.get("/", (_request, reply) => reply.send(body));
    (await unread(await url())).on("error", () => {}).destroy();
    await until(() => state.isDestroyed, { what: "the end of the stream" });
  });

  it.each([
    ["that is not stored", {}],
    ["that turns out too large to be stored", FRESH],
  ])("is read at the pace of its client: one %s", async (_what, headers) => {
    const { state, body } = counting(2_000);
    const { app, url } = await testApp({ options: { maxBodySize: 1_000_000 } });
    app.get("/", (_request, reply) => reply.headers(headers).send(body));
    const response = await unread(await url());
    const reads: number[] = [];
    // Nothing more is read in 100 ms.
    const isPaused = (): boolean => reads.push(state.read) > 1 && state.read > 16 && reads.at(-2) === state.read;
    await until(isPaused, { what: "a pause", everyMs: 100 });
    expect(state.read).toBeLessThan(1_000);
    let size = 0;
    for await (const chunk of response) size += (chunk as Buffer).length;
    expect(size).toBe(2_000 * 65_536);
  });

  it("that is not stored answers a Range with the part, and is destroyed after it", async () => {
    const { state, body } = counting(1_000_000, 10);
    const { app, get } = await testApp();
    const length = { "content-length": "10000000", etag: '"1"' };
    app.get("/", (_request, reply) => reply.headers(length).send(body));
    const got = await get("/", { headers: { range: "bytes=5-24" } });
    expect([got.status, got.body, got.headers.get("content-range")]).toEqual([
      206,
      "x".repeat(20),
      "bytes 5-24/10000000",
    ]);
    await until(() => state.isDestroyed, { what: "the end of the stream" });
  });

  it("of an error is destroyed where a stale response replaces it", async () => {
    const { state, body } = counting(1_000_000);
    const { app, get } = await testApp({ options: { retryAfter: 0 } });
    let runs = 0;
    app.get("/", (_request, reply) => {
      if (++runs > 1) return reply.code(500).send(body);
      return reply.headers({ "cache-control": "max-age=0, stale-if-error=60", etag: '"1"' }).send("page");
    });
    await get("/");
    await vi.waitFor(async () => expect((await get("/")).body).toBe("page"));
    await until(() => state.isDestroyed, { what: "the end of the stream" });
  });
});

it("a handler that takes longer than originTimeout is replaced by the stale response, and what it sends then is dropped", async () => {
  const late = deferred();
  const sent = deferred();
  const { state, body } = counting(1_000_000);
  const { app, get } = await testApp({ options: { originTimeout: "30ms" } });
  let runs = 0;
  const signals: AbortSignal[] = [];
  app.get("/", async (request, reply) => {
    signals.push(request.signal);
    if (++runs === 1)
      return reply.headers({ "cache-control": "max-age=0, stale-if-error=60", etag: '"1"' }).send("page");
    await late.promise;
    reply.send(body);
    sent.resolve();
    return reply;
  });
  await get("/");
  expect((await get("/")).body).toBe("page");
  expect(signals.at(-1)?.aborted).toBe(true);
  late.resolve();
  await sent.promise;
  await until(() => state.isDestroyed, { what: "the end of the stream" });
});
