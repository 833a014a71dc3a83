import { Hono } from "hono";
import { describe, expect, inject, it } from "vitest";
import { httpCache, type ValkeyCacheEnv, valkeyCache } from "../../src/hono/index.js";
import { type Cache, createCache, defaultClient, define, herd, type Lock, wrap } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";

/** A Worker whose pages are made of users and of a report, which are data in the cache. */
function worker(cache: Cache) {
  const counts = { pages: 0, users: 0, reports: 0 };
  const users = define(cache, {
    key: (id: string) => `user:${id}`,
    load: (id) => ({ id, team: id < "m" ? "red" : "blue", loads: ++counts.users }),
    tags: ({ team }, id) => [`user:${id}`, `team:${team}`],
    ttl: "1h",
    softTimeout: 0,
  });
  const app = new Hono<ValkeyCacheEnv>();
  app.use(valkeyCache(cache, { memo: true }));
  app.use("/pages/*", httpCache({ cache }));
  app.get("/pages/:id", async (c) => {
    counts.pages++;
    const user = await users.with(c.var.cache).get(c.req.param("id"));
    return c.json(user, 200, { "cache-control": "max-age=60", "cache-tag": `user:${user.id}` });
  });
  app.get("/users/:id", async (c) => c.json(await users.with(c.var.cache).get(c.req.param("id"))));
  app.get("/tenants/:tenant/report", async (c) => {
    const tenant = c.var.cache.namespace(c.req.param("tenant"));
    const report = wrap(tenant, async (days: number) => days * 100 + ++counts.reports, { key: "report", ttl: "1h" });
    return c.json(await report(7));
  });
  app.delete("/tenants/:tenant", async (c) => {
    await c.var.cache.namespace(c.req.param("tenant")).purge();
    return c.json(null);
  });
  app.delete("/tags/:tag", async (c) => {
    await c.var.cache.purgeTags([c.req.param("tag")], { soft: c.req.query("soft") !== undefined });
    return c.json(null);
  });

  /** The body of an answer, as one invocation gives it: what it does after its answer has ended, too. */
  const ask = async (path: string, method = "GET"): Promise<unknown> => {
    const works: Promise<unknown>[] = [];
    const context = {
      waitUntil: (work: Promise<unknown>) => void works.push(work),
      passThroughOnException: () => {},
      props: {},
    };
    const response = await app.request(path, { method }, {}, context);
    const body = await response.json();
    for (let ended = 0; ended < works.length; ended = works.length) await Promise.all(works);
    return body;
  };
  return { ask, counts };
}

const CLIENTS = [
  ["default", defaultClient],
  ["herd", herd],
] as const;

describe.each(CLIENTS)("in a Worker, under the client %s,", (_, client) => {
  const open = (keyPrefix = ownPrefix()): Cache =>
    createCache({ location: inject("valkeyUrl"), keyPrefix, client: client() });

  it("one purge of a tag in one invocation ends data and pages in all later ones, and in other isolates", async () => {
    const keyPrefix = ownPrefix();
    const [here, elsewhere] = [worker(open(keyPrefix)), worker(open(keyPrefix))];
    const ann = { id: "ann", team: "red", loads: 1 };
    for (const { ask } of [here, here, elsewhere]) expect(await ask("/pages/ann")).toEqual(ann);
    expect(await here.ask("/pages/zoe")).toMatchObject({ loads: 2 });
    expect(here.counts).toMatchObject({ pages: 2, users: 2 });
    expect(elsewhere.counts).toMatchObject({ pages: 0, users: 0 });

    await elsewhere.ask("/tags/user:ann", "DELETE");
    expect(await here.ask("/pages/ann")).toEqual({ ...ann, loads: 3 });
    expect(await elsewhere.ask("/pages/ann")).toEqual({ ...ann, loads: 3 });
    expect(await elsewhere.ask("/pages/zoe")).toMatchObject({ loads: 2 });
    expect(elsewhere.counts.users).toBe(0);
  });

  it("a soft purge has an invocation answer the old value, and load a new one behind its answer", async () => {
    const { ask, counts } = worker(open());
    expect(await ask("/users/ann")).toMatchObject({ loads: 1 });
    await ask("/tags/team:red?soft", "DELETE");
    expect(await ask("/users/ann")).toMatchObject({ loads: 1 });
    expect(await ask("/users/ann")).toMatchObject({ loads: 2 });
    expect(counts.users).toBe(2);
  });

  it("a value whose load began before a purge in another invocation is not answered after it", async () => {
    const cache = open();
    const [began, loaded] = [deferred<void>(), deferred<string>()];
    await using slow = cache.for();
    const loading = slow.getOrSet(
      "a",
      () => {
        began.resolve();
        return loaded.promise;
      },
      { tags: ["a"] },
    );
    await began.promise;
    {
      await using other = cache.for();
      await other.purgeTags(["a"]);
      // The isolate knows of the purge from here on.
      expect(await other.get("a")).toBeUndefined();
    }
    loaded.resolve("old");
    expect(await loading).toBe("old");
    await using later = cache.for();
    expect(await later.get("a")).toBeUndefined();
    expect(await later.getOrSet("a", () => "new", { tags: ["a"] })).toBe("new");
  });

  it("an invocation that remembers answers what it has read, and the next one hears of the purge", async () => {
    const cache = open();
    await using writer = cache.for();
    await writer.set("a", 1, { tags: ["a"] });
    await using remembering = cache.for({ memo: true });
    expect(await remembering.get("a")).toBe(1);
    await writer.purgeTags(["a"]);
    expect(await remembering.get("a")).toBe(1);
    await using next = cache.for({ memo: true });
    expect(await next.get("a")).toBeUndefined();
    await writer.set("a", 2, { tags: ["a"] });
    await next.purgeTags(["a"]);
    expect(await next.get("a")).toBeUndefined();
  });

  it("a namespace that one invocation purges is empty for the others, and no other one is", async () => {
    const { ask, counts } = worker(open());
    const asked = async () => [await ask("/tenants/a/report"), await ask("/tenants/ab/report")];
    expect(await asked()).toEqual([701, 702]);
    await ask("/tenants/a", "DELETE");
    expect(await asked()).toEqual([703, 702]);
    expect(counts.reports).toBe(3);
  });
});

// The lock ends too soon where a busy machine stops the process.
it("a lock is renewed in a Worker for as long as its invocation lasts, and no longer", { retry: 3 }, async () => {
  const cache = createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });
  const take = async (view: Cache): Promise<Lock | undefined> => view.lock("job", { ttl: "150ms", renew: true });
  await using other = cache.for();
  let held: Lock | undefined;
  {
    await using view = cache.for();
    held = await take(view);
    const startMs = Date.now();
    while (Date.now() - startMs < 400) expect(await take(other)).toBeUndefined();
    expect(held?.signal.aborted).toBe(false);
  }
  await using next = await until(() => take(other), { what: "the lock to be free" });
  expect(held?.signal.aborted).toBe(true);
  expect(next.fencing).toBeGreaterThan(held?.fencing ?? 0);
});
