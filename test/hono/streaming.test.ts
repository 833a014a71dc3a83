import { randomUUID } from "node:crypto";
import { createServer, request } from "node:http";
import { afterEach, beforeEach, expect, inject, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { listenAnywhere } from "../support/ports.js";
import { until } from "../support/wait.js";
import { listen, testApp, toGot } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };
const MEGABYTE = new Uint8Array(1_048_576).fill(7);

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

/** A body in so many pieces of a megabyte, made as they are read. */
function megabytes(count: number, onPull: () => void = () => {}): ReadableStream<Uint8Array> {
  let made = 0;
  return new ReadableStream(
    {
      pull(controller) {
        onPull();
        if (made++ < count) controller.enqueue(MEGABYTE);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

it("streams 100 MB without storing or holding it", async () => {
  let pulled = 0;
  const { app } = testApp(cache);
  app.get(
    "/",
    () =>
      new Response(
        megabytes(100, () => pulled++),
        { headers: FRESH },
      ),
  );
  const reader = (await app.request("/")).body?.getReader();
  let size = 0;
  let ahead = 0;
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    size += read.value.length;
    ahead = Math.max(ahead, pulled - size / MEGABYTE.length);
  }
  expect(size).toBe(100 * MEGABYTE.length);
  expect(ahead).toBeLessThanOrEqual(3);
  expect((await testApp(cache).get("/")).how).toBe("fwd=uri-miss");
});

it("gives up at once what says that it is too large", async () => {
  const { app, get } = testApp(cache);
  app.get(
    "/",
    () => new Response(megabytes(3), { headers: { ...FRESH, "content-length": String(3 * MEGABYTE.length) } }),
  );
  expect((await get("/")).how).toBe("fwd=uri-miss");
});

it("passes ranges of what is too large on to the handler, once it knows", async () => {
  const ranges: (string | undefined)[] = [];
  const { app, get } = testApp(cache, { maxBodySize: 10, awaitBackground: true });
  app.get("/", (c) => {
    ranges.push(c.req.header("range"));
    return c.text("x".repeat(100), 200, FRESH);
  });
  await get("/");
  await get("/", { headers: { range: "bytes=0-1" } });
  expect(ranges).toEqual([undefined, "bytes=0-1"]);
});

it("stores all of a body whose client leaves in the middle", async () => {
  const { app, get } = testApp(cache);
  app.get("/", () => new Response(megabytes(1), { headers: FRESH }));
  await using server = await listen(app);
  await new Promise<void>((resolve) => {
    const asking = request(server.url, (response) => response.once("data", () => asking.destroy()));
    asking
      .on("close", resolve)
      .on("error", () => {})
      .end();
  });
  const path = `${server.url}/`;
  await until(async () => (await toGot(await app.request(path))).how.startsWith("hit"), { what: "it to be stored" });
  expect((await toGot(await app.request(path))).body).toHaveLength(MEGABYTE.length);
  expect((await get("/")).status).toBe(200);
});

it("stores nothing when the origin disconnects in the middle", async () => {
  let asked = 0;
  const origin = createServer((_request, response) => {
    asked++;
    response.writeHead(200, { ...FRESH, ...(asked === 1 ? { "content-length": "1000" } : {}) });
    response.write("x".repeat(500), () => (asked < 3 ? response.destroy() : response.end()));
  });
  const port = await listenAnywhere(origin);
  try {
    const { app } = testApp(cache, { awaitBackground: true });
    app.get("/", () => fetch(`http://127.0.0.1:${port}`));
    for (let i = 0; i < 2; i++) await expect((await app.request("/")).text()).rejects.toThrow();
    expect(await (await app.request("/")).text()).toHaveLength(500);
    expect(asked).toBe(3);
    expect((await toGot(await app.request("/"))).how).toMatch(/^hit/);
  } finally {
    origin.close();
  }
});

it("compresses once what is stored, and never what has a Content-Encoding", async () => {
  const { gzip } = await import("../../src/compressors/deflate.js");
  await using packing = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID(), compressor: gzip() });
  const { app, get } = testApp(packing, { awaitBackground: true });
  const text = "many words ".repeat(1_000);
  app.get("/plain", (c) => c.text(text, 200, FRESH));
  app.get("/encoded", (c) => c.body(text, 200, { ...FRESH, "content-encoding": "x-own" }));
  for (const path of ["/plain", "/encoded"]) {
    await get(path);
    expect(await get(path)).toMatchObject({ body: text, how: expect.stringMatching(/^hit/) });
  }
  const sizes = await Promise.all(
    ["plain", "encoded"].map(async (name) => {
      const [key = ""] = await packing.keys(`http:*${name}*`);
      return Number((await packing.connection.send([["STRLEN", String(packing.makeKey(key))]]))[0]);
    }),
  );
  expect(sizes[0]).toBeLessThan(2_000);
  expect(sizes[1]).toBeGreaterThan(text.length);
});

it.each([1, 20])(
  "a body of exactly the limit, in %i chunks and without a length, holds up no other request",
  async (chunks) => {
    const chunk = new Uint8Array(1_000 / chunks).fill(7);
    const body = (count: number) => ReadableStream.from(Array.from({ length: count }, () => chunk));
    for (const awaitBackground of [false, true]) {
      const options = {
        maxBodySize: 1_000,
        waitTimeout: "1h",
        lease: "1h",
        awaitBackground,
        cacheName: randomUUID(),
      } as const;
      const { app, get } = testApp(cache, options);
      app.get("/exact", () => new Response(body(chunks), { headers: FRESH }));
      // Its first chunks are exactly the limit.
      app.get("/more", () => new Response(body(2 * chunks), { headers: FRESH }));
      const unread = await app.request("/exact");
      expect((await get("/exact")).body).toHaveLength(1_000);
      await unread.body?.cancel();
      expect((await get("/more")).body).toHaveLength(2_000);
    }
  },
);

it("a body that was too large for the store is not read ahead of its client the next time", async () => {
  let pulled = 0;
  const { app, get } = testApp(cache, { maxBodySize: 2 * MEGABYTE.length });
  app.get(
    "/",
    () =>
      new Response(
        megabytes(8, () => pulled++),
        { headers: FRESH },
      ),
  );
  await get("/");
  pulled = 0;
  const unread = await app.request("/");
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
  expect(pulled).toBeLessThanOrEqual(1);
  expect((await unread.arrayBuffer()).byteLength).toBe(8 * MEGABYTE.length);
});

it("a URL whose body was too large is stored once it has a length that is small enough", async () => {
  let length = 3_000;
  const { app, get } = testApp(cache, { maxBodySize: 1_000 });
  app.get("/", () => {
    const headers = length < 1_000 ? { ...FRESH, "content-length": String(length) } : FRESH;
    return new Response(new Uint8Array(length), { headers });
  });
  await get("/");
  length = 10;
  await get("/");
  await until(async () => (await get("/")).how.startsWith("hit"), { what: "a hit" });
});

it("a response that is not stored is passed on as it is, without a copy of its body", async () => {
  const made: Response[] = [];
  const { app } = testApp(cache);
  app.get("/", () => {
    const response = new Response("private", { headers: { "cache-control": "no-store" } });
    made.push(response);
    return response;
  });
  const response = await app.request("/");
  expect(response).toBe(made[0]);
  expect(response.headers.get("cache-status")).toMatch(/fwd=uri-miss/);
});
