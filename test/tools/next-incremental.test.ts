import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import {
  countConnections,
  draftCookie,
  type Fleet,
  type Instance,
  type NextApp,
  nextApp,
  type Origin,
  passed,
  revalidate,
  shown,
  startFleet,
  startOrigin,
} from "./next-fleet.js";

let app: NextApp;
let origin: Origin;
let valkey: ValkeyServer;
let fleet: Fleet;
let a: Instance;
let b: Instance;
let connectionsOfBuild: number;

beforeAll(async () => {
  app = nextApp("incremental");
  await using silent = await countConnections();
  [origin, valkey] = await Promise.all([startOrigin(), startValkey(), app.build({ valkeyUrl: silent.url })]);
  connectionsOfBuild = silent.count();
  fleet = await startFleet(app, { origin, valkeyUrl: valkey.url });
  [a, b] = fleet.instances as [Instance, Instance];
});

afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await Promise.all([origin?.[Symbol.asyncDispose](), valkey?.stop()]);
  app?.[Symbol.dispose]();
});

it("next build opens no connection", () => {
  expect(connectionsOfBuild).toBe(0);
});

/** What shows the generation, by the path of its kind, and what the origin calls it. */
const kinds = [
  ["a page", "/isr", "isr", (number: number) => `isr ${number}`],
  ["a page with tags", "/tagged", "tagged", (number: number) => `tagged ${number} within 1`],
  ["a page of the pages router", "/old", "old", (number: number) => `old ${number}`],
  ["a static route handler", "/handler", "handler", (number: number) => JSON.stringify({ generation: number })],
  ["a fetched response", "/data/fetched", "fetched", (number: number) => JSON.stringify({ generation: number })],
  ["an unstable_cache", "/data/unstable", "unstable", (number: number) => JSON.stringify({ generation: number })],
] as const;

const content = (body: string) => shown(body) ?? body;

describe("what two instances generate", () => {
  it.each(kinds)("%s is generated once for both", async (_name, path, name, body) => {
    expect(content(await a.text(`${path}/once`))).toBe(body(1));
    expect(content(await b.text(`${path}/once`))).toBe(body(1));
    expect(content(await a.text(`${path}/once`))).toBe(body(1));
    expect(origin.calls(`${name}-once`)).toBe(1);
  });

  it.each(kinds)("%s is generated once for 20 requests at the same time", async (_name, path, name, body) => {
    origin.script(`${name}-herd`, 300);
    expect(new Set((await fleet.atOnce(`${path}/herd`)).map(content))).toEqual(new Set([body(1)]));
    expect(origin.calls(`${name}-herd`)).toBe(1);
  });

  it("a static route handler keeps its header fields", async () => {
    await a.text("/handler/fields");
    expect((await b.fetch("/handler/fields")).headers.get("x-handler")).toBe("fields");
  });

  it("the RSC data of a page, which client navigation loads, is of the same generation", async () => {
    await a.text("/isr/flight");
    const data = await b.text("/isr/flight", { headers: { rsc: "1" }, redirect: "follow" });
    expect(data).toContain("isr 1");
    expect(origin.calls("isr-flight")).toBe(1);
  });

  it("the data of a page of the pages router is of the same generation", async () => {
    await a.text("/old/data");
    expect(await b.json("/_next/data/first/old/data.json")).toMatchObject({ pageProps: { generation: 1 } });
    expect(origin.calls("old-data")).toBe(1);
  });

  it("a page that is missing, or elsewhere, is so in both after one generation", async () => {
    for (const [path, status] of [
      ["/missing/gone", 404],
      ["/missing/moved", 307],
    ] as const) {
      expect([(await a.fetch(path)).status, (await b.fetch(path)).status]).toEqual([status, status]);
    }
    expect([origin.calls("missing-gone"), origin.calls("missing-moved")]).toEqual([1, 1]);
  });

  it("a page of the pages router that is missing, or elsewhere, is so in both", async () => {
    for (const [path, status] of [
      ["/old/missing", 404],
      ["/old/moved", 307],
    ] as const) {
      expect([(await a.fetch(path)).status, (await b.fetch(path)).status]).toEqual([status, status]);
      expect([(await a.fetch(path)).status, (await b.fetch(path)).status]).toEqual([status, status]);
    }
  });

  it("a page that the build has prerendered is served as it is", async () => {
    expect(new Set((await fleet.atOnce("/isr/built")).map(content))).toEqual(new Set(["isr 0"]));
    expect(origin.calls("isr-built")).toBe(0);
  });

  it("a page that the build has prerendered is generated once it is revalidated, also before its first request", async () => {
    await revalidate(a, "path=/isr/built");
    expect(new Set((await fleet.atOnce("/isr/built")).map(content))).toEqual(new Set(["isr 1"]));
    await revalidate(a, "path=/isr/purged");
    expect(new Set((await fleet.atOnce("/isr/purged")).map(content))).toEqual(new Set(["isr 1"]));
  });

  it("an image is made once for both", async () => {
    const path = "/_next/image?url=%2Fsquares.png&w=64&q=75";
    const headers = { accept: "image/webp" };
    const first = await a.fetch(path, { headers });
    expect([first.status, first.headers.get("content-type"), first.headers.get("x-nextjs-cache")]).toEqual([
      200,
      "image/webp",
      "MISS",
    ]);
    const second = await b.fetch(path, { headers });
    expect([second.status, second.headers.get("x-nextjs-cache")]).toEqual([200, "HIT"]);
    expect(new Uint8Array(await second.arrayBuffer())).toEqual(new Uint8Array(await first.arrayBuffer()));
  });
});

describe("a generation that doesn't end well", () => {
  let impatient: Fleet;
  let c: Instance;
  let d: Instance;

  beforeAll(async () => {
    // Others generate after a second.
    impatient = await startFleet(app, { origin, valkeyUrl: valkey.url, handlers: "own" });
    [c, d] = impatient.instances as [Instance, Instance];
  });

  afterAll(() => impatient?.[Symbol.asyncDispose]());

  it.each(kinds)("%s fails for its request, and the next one generates", async (_name, path, name, body) => {
    origin.script(`${name}-fails`, "fail");
    // A failed response of fetch is no error, and not stored.
    const first = await c.fetch(`${path}/fails`);
    if (path !== "/data/fetched") expect(first.status).toBe(500);
    expect(content(await d.text(`${path}/fails`))).toBe(body(2));
    expect(content(await c.text(`${path}/fails`))).toBe(body(2));
  });

  it.each(kinds)("%s hangs: the other instance generates after a while", async (_name, path, name, body) => {
    origin.script(`${name}-hangs`, "hang");
    const leaves = new AbortController();
    const hanging = c.fetch(`${path}/hangs`, { signal: leaves.signal }).catch((error: unknown) => error);
    await until(() => origin.calls(`${name}-hangs`) === 1, { what: "the generation" });
    const beganMs = performance.now();
    expect(content(await d.text(`${path}/hangs`))).toBe(body(2));
    expect(performance.now() - beganMs).toBeLessThan(2_000);
    leaves.abort();
    expect(await hanging).toBeInstanceOf(Error);
  });

  it("is killed with its process: the other instance generates after a while", async () => {
    const killed = await app.start({ origin, valkeyUrl: valkey.url, handlers: "own" });
    origin.script("isr-killed", "hang");
    const hanging = killed.fetch("/isr/killed").catch((error: unknown) => error);
    await until(() => origin.calls("isr-killed") === 1, { what: "the generation" });
    await killed.kill("SIGKILL");
    expect(content(await d.text("/isr/killed"))).toBe("isr 2");
    expect(await hanging).toBeInstanceOf(Error);
  });

  it("refreshes a stale page in vain: the stale one stays, and is refreshed later", async () => {
    await c.text("/brief/vain");
    await passed(1.1);
    origin.script("brief-vain", "fail");
    expect(content(await c.text("/brief/vain"))).toBe("brief 1");
    await until(() => origin.calls("brief-vain") === 2, { what: "the refresh" });
    expect(content(await d.text("/brief/vain"))).toBe("brief 1");
    await until(async () => content(await d.text("/brief/vain")) === "brief 3", {
      what: "the page after the next refresh",
      timeoutMs: 15_000,
    });
  });
});

describe("revalidation by one instance, at the next request to the other", () => {
  const tagged = kinds.filter(([, path]) => ["/tagged", "/data/fetched", "/data/unstable"].includes(path));
  const next = (name: string) => (number: number) =>
    name === "tagged" ? `tagged ${number} within ${number}` : JSON.stringify({ generation: number });

  it.each(tagged)("revalidateTag with expire: 0 removes %s", async (_name, path, name) => {
    await b.text(`${path}/hard`);
    await revalidate(a, `tag=${name}-hard&expire=0`);
    expect(content(await b.text(`${path}/hard`))).toBe(next(name)(2));
    expect(content(await a.text(`${path}/hard`))).toBe(next(name)(2));
    expect(origin.calls(`${name}-hard`)).toBe(2);
  });

  it.each(tagged)('revalidateTag with "max" serves %s stale, and one instance generates', async (_name, path, name) => {
    const before = content(await a.text(`${path}/soft`));
    await revalidate(a, `tag=${name}-soft&profile=max`);
    origin.script(`${name}-soft`, 300);
    expect(new Set((await fleet.atOnce(`${path}/soft`)).map(content))).toEqual(new Set([before]));
    await until(async () => content(await a.text(`${path}/soft`)) !== before, { what: "the new generation on a" });
    expect(content(await b.text(`${path}/soft`))).not.toBe(before);
    expect(origin.calls(`${name}-soft`)).toBe(2);
  });

  it.each(kinds.filter(([, path]) => !path.startsWith("/data") && path !== "/old"))(
    "revalidatePath removes %s",
    async (_name, path, name) => {
      const before = content(await b.text(`${path}/path`));
      await revalidate(a, `path=${path}/path`);
      expect(content(await b.text(`${path}/path`))).not.toBe(before);
      expect(content(await a.text(`${path}/path`))).not.toBe(before);
      expect(origin.calls(`${name}-path`)).toBe(2);
    },
  );

  it("revalidatePath with a type removes all pages of a route", async () => {
    await a.text("/isr/all");
    await revalidate(b, "path=/isr/[id]&type=page");
    expect(content(await a.text("/isr/all"))).toBe("isr 2");
  });

  it("revalidatePath of a route that fetches removes what it has fetched", async () => {
    await b.text("/data/fetched/path");
    await revalidate(a, "path=/data/fetched/path");
    expect(await b.json("/data/fetched/path")).toEqual({ generation: 2 });
  });

  it("res.revalidate() of the pages router replaces the page", async () => {
    await b.text("/old/demand");
    await a.text("/api/revalidate?path=/old/demand");
    expect(content(await b.text("/old/demand"))).toBe("old 2");
    expect(content(await a.text("/old/demand"))).toBe("old 2");
    expect(origin.calls("old-demand")).toBe(2);
  });
});

describe("lifetimes", () => {
  it.each([
    ["a page", "/brief", (number: number) => `brief ${number}`],
    ["a fetched response", "/data/brief", (number: number) => JSON.stringify({ generation: number })],
  ])("%s past its revalidation is served, and generated once for both instances", async (_name, path, body) => {
    const id = path === "/brief" ? "page" : "fetched";
    await a.text(`${path}/${id}`);
    await passed(1.1);
    origin.script(`brief-${id}`, 300);
    expect(new Set((await fleet.atOnce(`${path}/${id}`)).map(content))).toEqual(new Set([body(1)]));
    await until(async () => content(await b.text(`${path}/${id}`)) === body(2), { what: "the new generation" });
    expect(origin.calls(`brief-${id}`)).toBe(2);
  });
});

describe("draft mode", () => {
  it("shows the draft of a page, and leaves the cache alone", async () => {
    expect(content(await a.text("/isr/draft"))).toBe("isr 1");
    const headers = { cookie: await draftCookie(b) };
    expect(content(await a.text("/isr/draft", { headers }))).toBe("draft 1");
    expect(content(await b.text("/isr/draft", { headers }))).toBe("draft 2");
    expect([content(await a.text("/isr/draft")), content(await b.text("/isr/draft"))]).toEqual(["isr 1", "isr 1"]);
    expect(content(await a.text("/old/draft"))).toBe("old 1");
    expect(content(await b.text("/old/draft", { headers }))).toBe("draft 2");
    expect(content(await a.text("/old/draft"))).toBe("old 1");
  });
});

it("no instance reports an unhandled rejection", () => {
  expect(a.log() + b.log()).not.toMatch(/unhandled/i);
});
