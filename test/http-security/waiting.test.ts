import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { type Attack, type Handler, SHOP, type SiteOptions } from "../adapters/host.js";
import { type Cases, casesOf, ENGINE_HOSTS, HTTP_HOSTS, HTTP1_HOSTS } from "../adapters/hosts.js";
import { FRESH, newCache, rawServer, text } from "../adapters/replies.js";
import { testApp } from "../hono/app.js";
import { HOST } from "../support/ports.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

/** A test in which a client waits for one of these ends by its timeout. */
const ENDLESS: SiteOptions = { lease: "10m", waitTimeout: "10m", retryAfter: "10m" };
const VICTIMS = 20;

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

const never = (): Promise<never> => new Promise(() => {});

/** A handler that answers when the test lets it. */
class Gate {
  begun = 0;
  #waiting: (() => void)[] = [];

  async pass(): Promise<void> {
    this.begun++;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const status = (code: number): [string, () => Response] => [`status ${code}`, () => text("bad", code)];

/** Responses that no other client can reuse. */
const BAD: Cases<[what: string, bad: () => Response]> = {
  all: [status(400), ["a body that is too large", () => text("x".repeat(100), 200, FRESH)]],
  engine: [
    status(403),
    status(500),
    ["no-store", () => text("bad", 200, { "cache-control": "no-store" })],
    ["private", () => text("bad", 200, { "cache-control": "private, max-age=60" })],
    ["Vary: *", () => text("bad", 200, { ...FRESH, vary: "*" })],
    ["a redirection", () => text(null, 302, { location: "/login" })],
  ],
  once: [401, 405, 406, 412, 413, 415, 417, 422, 425, 429, 431, 502, 503].map(status),
};

/** Requests that no other client waits for. */
const SLOW: Cases<[what: string, attack: Attack]> = {
  all: [
    ["HEAD", { method: "HEAD" }],
    ["POST", { method: "POST", body: "x" }],
    ["another host", { host: "evil.example" }],
  ],
  engine: [
    ["a cookie", { fields: { cookie: "a=b" } }],
    ["no-store", { fields: { "cache-control": "no-store" } }],
    ["an overridden method", { fields: { "x-http-method-override": "GET" } }],
    ["a precondition", { fields: { "if-match": '"1"' } }],
    ["another query", { target: "/?other" }],
  ],
};

describe.each(HTTP_HOSTS)("CWE-400, a request through $name whose response no other client can reuse", (host) => {
  it.each(casesOf(host, BAD))(
    "by %s lets the next client make the page, and the others have it",
    async (_what, bad) => {
      const handler: Handler = ({ headers }) => (headers.has("x-bad") ? bad() : text("page", 200, FRESH));
      const options: SiteOptions = { ...ENDLESS, awaitBackground: true, maxBodySize: 50, uncacheableTtl: "1ms" };
      await using opened = await host.open({ cache, handler, options });
      for (let i = 0; i < 3; i++) await opened.send({ fields: { "x-bad": "1" } });
      const all = await Promise.all(Array.from({ length: VICTIMS }, () => opened.send()));
      expect(new Set(all.map(({ body }) => body))).toEqual(new Set(["page"]));
      await until(async () => (await opened.send()).how.startsWith("hit"), { what: "a hit" });
    },
  );

  it.each(casesOf(host, SLOW))(
    "by %s holds up no other request, although its handler never answers",
    async (_what, attack) => {
      let attacks = 0;
      const handler: Handler = async ({ headers }) => {
        if (headers.has("x-slow")) {
          attacks++;
          await never();
        }
        return text("page", 200, FRESH);
      };
      await using opened = await host.open({ cache, handler, options: ENDLESS });
      const fields = { "x-slow": "1", ...attack.fields };
      opened.send({ ...attack, fields }).catch(() => {});
      await until(() => attacks === 1, { what: "the attack" });
      const all = await Promise.all(Array.from({ length: VICTIMS }, () => opened.send()));
      expect(new Set(all.map(({ body }) => body))).toEqual(new Set(["page"]));
    },
  );
});

describe("CWE-400, a handler that hangs", () => {
  it("keeps each client waiting for waitTimeout at the most, and later ones not at all", async () => {
    let runs = 0;
    const { app, get } = testApp(cache, { lease: "100ms", waitTimeout: "100ms" });
    app.get("*", async (c) => {
      if (++runs === 1) await never();
      return c.text("page", 200, FRESH);
    });
    get("/").catch(() => {});
    await until(() => runs === 1, { what: "the handler to hang" });
    const all = await Promise.all(Array.from({ length: VICTIMS }, () => get("/")));
    expect(new Set(all.map(({ body }) => body))).toEqual(new Set(["page"]));
    await until(async () => (await get("/")).how.startsWith("hit"), { what: "a hit" });
    const after = runs;
    await Promise.all(Array.from({ length: VICTIMS }, () => get("/")));
    expect(runs).toBe(after);
  });

  it("in the background keeps no client waiting", async () => {
    let runs = 0;
    const { app, get } = testApp(cache, ENDLESS);
    app.get("*", async (c) => {
      if (++runs > 1) await never();
      return c.text("page", 200, { "cache-control": "max-age=0, stale-while-revalidate=60" });
    });
    await get("/");
    await until(async () => (await get("/")).body === "page" && runs === 2, { what: "the refresh" });
    const all = await Promise.all(Array.from({ length: VICTIMS }, () => get("/")));
    expect(all.every(({ body, how }) => body === "page" && how.startsWith("hit"))).toBe(true);
    expect(runs).toBe(2);
  });

  it("in a reload keeps no client waiting that can use what is stored", async () => {
    let runs = 0;
    const { app, get } = testApp(cache, { ...ENDLESS, awaitBackground: true });
    app.get("*", async (c) => {
      if (++runs > 1) await never();
      return c.text("page", 200, FRESH);
    });
    await get("/");
    get("/", { headers: { "cache-control": "no-cache" } }).catch(() => {});
    await until(() => runs === 2, { what: "the reload" });
    const all = await Promise.all(Array.from({ length: VICTIMS }, () => get("/")));
    expect(all.every(({ how }) => how.startsWith("hit"))).toBe(true);
  });
});

describe.each(HTTP1_HOSTS)("CWE-400, clients of $name that read slowly or not at all", (host) => {
  it.each([1, 2_000, 200_000])("keep no client waiting for a body of %i bytes", async (size) => {
    const handler: Handler = () => text("x".repeat(size), 200, FRESH);
    await using opened = await host.open({ cache, handler, options: ENDLESS });
    const { port } = rawServer(opened);
    const slow = Array.from({ length: 5 }, () => {
      const socket = connect(port, HOST, () => socket.write(`GET / HTTP/1.1\r\nHost: ${SHOP}\r\n\r\n`));
      return socket.pause();
    });
    const all = await Promise.all(Array.from({ length: VICTIMS }, () => opened.send()));
    expect(all.every(({ body }) => body.length === size)).toBe(true);
    for (const socket of slow) socket.destroy();
  });

  it("that send half a request take no lease", async () => {
    const handler: Handler = () => text("page", 200, FRESH);
    await using opened = await host.open({ cache, handler, options: ENDLESS });
    const half = connect(rawServer(opened).port, HOST);
    await new Promise<void>((resolve) => half.write(`GET / HTTP/1.1\r\nHost: ${SHOP}\r\nX-Slow: `, () => resolve()));
    expect((await opened.send()).body).toBe("page");
    half.destroy();
  });

  it("that leave while others wait for what they have asked for leave it to them", async () => {
    const gate = new Gate();
    const handler: Handler = async () => {
      await gate.pass();
      return text("page", 200, FRESH);
    };
    await using opened = await host.open({ cache, handler, options: ENDLESS });
    const { port } = rawServer(opened);
    const socket = connect(port, HOST, () => socket.write(`GET / HTTP/1.1\r\nHost: ${SHOP}\r\n\r\n`));
    await until(() => gate.begun === 1, { what: "the handler" });
    const others = Promise.all(Array.from({ length: VICTIMS }, () => opened.send()));
    socket.resetAndDestroy();
    gate.release();
    expect((await others).every(({ body }) => body === "page")).toBe(true);
    expect(gate.begun).toBe(1);
  });
});

describe("CWE-400, clients that read slowly or not at all", () => {
  it.each([true, false])(
    "keep no client waiting for a body of exactly the limit, awaitBackground: %s",
    async (awaitBackground) => {
      for (const chunks of [[10], [4, 6], [10, 10]]) {
        const { app } = testApp(cache, { ...ENDLESS, awaitBackground, maxBodySize: 10, cacheName: `c${randomUUID()}` });
        app.get("*", () => {
          let at = 0;
          const body = new ReadableStream<Uint8Array>({
            pull(controller) {
              const size = chunks[at++];
              if (size === undefined) controller.close();
              else controller.enqueue(new Uint8Array(size));
            },
          });
          return new Response(body, { headers: FRESH });
        });
        const slow = await app.request("/");
        const size = chunks.reduce((sum, chunk) => sum + chunk, 0);
        expect(await (await app.request("/")).text()).toHaveLength(size);
        await slow.body?.cancel();
      }
    },
  );
});

it("CWE-400, a crowd of bad requests among others is over after a few runs of the handler", async () => {
  const gate = new Gate();
  const { app, get } = testApp(cache, ENDLESS);
  app.get("*", async (c) => {
    await gate.pass();
    return c.req.header("x-bad") ? c.text("bad", 400) : c.text("page", 200, FRESH);
  });
  const bad = { headers: { "x-bad": "1" } };
  const first = get("/", bad);
  await until(() => gate.begun === 1, { what: "the first attack" });
  const attacks = Array.from({ length: VICTIMS }, () => get("/", bad));
  const victims = Array.from({ length: VICTIMS }, () => get("/"));
  let isOver = false;
  const all = Promise.all([first, ...attacks, ...victims]).finally(() => {
    isOver = true;
  });
  let rounds = 0;
  while (!isOver) {
    await until(() => isOver || gate.waiting > 0, { what: "a run" });
    if (gate.waiting > 0) rounds++;
    gate.release();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await all;
  for (const victim of victims) expect((await victim).body).toBe("page");
  // One client at a time would be as many rounds as there are attacks.
  expect(rounds).toBeLessThan(VICTIMS);
});

it("CWE-400, a client that waits for a variant which can't be stored waits for no third response", async () => {
  const gate = new Gate();
  const { app, get } = testApp(cache, ENDLESS);
  app.get("*", async (c) => {
    await gate.pass();
    const foo = c.req.header("foo");
    return c.text(foo ?? "", 200, { vary: "foo", "cache-control": foo === "b" ? "no-store" : "max-age=60" });
  });
  const first = get("/", { headers: { foo: "a" } });
  await until(() => gate.begun === 1, { what: "the first run" });
  const others = Array.from({ length: VICTIMS }, () => get("/", { headers: { foo: "b" } }));
  gate.release();
  expect((await first).body).toBe("a");
  await until(() => gate.begun === 2, { what: "the run for the variant" });
  gate.release();
  await until(() => gate.begun === 1 + VICTIMS, { what: "all others at the handler" });
  gate.release();
  for (const other of others) expect((await other).body).toBe("b");
});

const answered = { timeoutMs: 10_000 };

describe("CWE-400, a store that stands still", () => {
  it.each([
    ["before the request", 0],
    ["while the handler runs", 1],
  ])("%s leaves no request waiting for a lease afterwards", async (_when, runsBefore) => {
    await using server = await startValkey();
    await using own = createCache({ location: server.url, commandTimeout: "100ms" });
    const gate = new Gate();
    const { app, get } = testApp(own, ENDLESS);
    app.get("*", async (c) => {
      await gate.pass();
      return c.text("page", 200, FRESH);
    });
    // The connection is open before the store stands still.
    const opening = get("/other");
    await until(() => gate.waiting === 1, { what: "the first request" });
    gate.release();
    await opening;
    const urls = ["/1", "/2", "/3"];
    let asked = runsBefore > 0 ? urls.map((url) => get(url)) : [];
    if (runsBefore > 0) await until(() => gate.waiting === urls.length, { what: "the handlers" });
    await server.kill("SIGSTOP");
    if (runsBefore === 0) asked = urls.map((url) => get(url));
    await until(() => gate.waiting === urls.length, { what: "the handlers", ...answered });
    gate.release();
    for (const { body } of await Promise.all(asked)) expect(body).toBe("page");
    await server.kill("SIGCONT");
    for (const url of urls) {
      const again = until(async () => (await get(url)).how.startsWith("hit"), {
        what: `a hit for ${url}`,
        ...answered,
      });
      let isOver = false;
      again
        .finally(() => {
          isOver = true;
        })
        .catch(() => {});
      while (!isOver) {
        gate.release();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await again;
    }
  });
});

it.each(HTTP1_HOSTS.filter((host) => ENGINE_HOSTS.includes(host)))(
  "CWE-400, a store that stands still leaves clients of $name what the handler makes, and what is stored to later ones",
  async (host) => {
    await using server = await startValkey();
    await using own = createCache({ location: server.url, commandTimeout: "100ms" });
    let runs = 0;
    const handler: Handler = () => text(`page ${++runs}`, 200, FRESH);
    await using opened = await host.open({ cache: own, handler, options: ENDLESS });
    await opened.send();
    await until(async () => (await opened.send()).how.startsWith("hit"), { what: "the first response" });
    const before = runs;
    await server.kill("SIGSTOP");
    const all = await Promise.all(Array.from({ length: VICTIMS }, () => opened.send()));
    expect(all.every(({ status, body }) => status === 200 && body !== "page 1")).toBe(true);
    expect(runs).toBe(before + VICTIMS);
    expect(opened.errors).not.toEqual([]);
    await server.kill("SIGCONT");
    const hit = await until(
      async () => {
        const got = await opened.send();
        return got.how.startsWith("hit") ? got : undefined;
      },
      { what: "a hit", ...answered },
    );
    expect(hit.body).toMatch(/^page \d+$/);
  },
);
