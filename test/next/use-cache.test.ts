import { expect, it } from "vitest";
import { entry, Fleet, text } from "./fleet.js";

it("an entry that one instance has stored is found by all", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use(), fleet.use()];
  expect(await a.get("key", [])).toBeUndefined();
  const timestamp = Date.now() - 1_000;
  await a.set("key", entry("value", { tags: ["news"], timestamp }));
  for (const one of [a, b]) {
    const found = await one.get("key", []);
    expect(found).toMatchObject({ tags: ["news"], stale: 30, timestamp, expire: 3_600, revalidate: 900 });
    expect(await text(found)).toBe("value");
  }
});

it("one instance generates a missing entry, and the others wait for it", async () => {
  await using fleet = new Fleet();
  const instances = Array.from({ length: 8 }, () => fleet.use());
  let generations = 0;
  const answers = await Promise.all(
    instances.map(async (one) => {
      const found = await one.get("key", []);
      if (found) return text(found);
      generations++;
      await one.set("key", entry("value"));
      return "value";
    }),
  );
  expect(generations).toBe(1);
  expect(new Set(answers)).toEqual(new Set(["value"]));
});

it("a generation that fails delays other instances by its timeout at most", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use({ generationTimeout: 0.3 }), fleet.use({ generationTimeout: 0.3 })];
  await a.get("key", []);
  const startedMs = Date.now();
  expect(await b.get("key", [])).toBeUndefined();
  expect(Date.now() - startedMs).toBeLessThan(1_500);
  await b.set("key", entry("value"));
  expect(await text(await a.get("key", []))).toBe("value");
});

it("updateTags is seen by all instances, and with durations makes entries stale for one of them", async () => {
  await using fleet = new Fleet();
  const [a, b, c] = [fleet.use(), fleet.use(), fleet.use()];
  await a.get("key", []);
  await a.set("key", entry("1", { tags: ["news"] }));
  expect(await text(await b.get("key", []))).toBe("1");
  await a.updateTags(["news"]);
  expect(await b.get("key", [])).toBeUndefined();
  await b.set("key", entry("2", { tags: ["news"] }));
  expect(await text(await a.get("key", []))).toBe("2");
  await a.updateTags(["news"], { expire: 60 });
  const stale = await b.get("key", []);
  expect([await text(stale), stale?.revalidate]).toEqual(["2", -1]);
  const other = await c.get("key", []);
  expect([await text(other), other?.revalidate]).toEqual(["2", 900]);
  await b.set("key", entry("3", { tags: ["news"] }));
  expect(await text(await c.get("key", []))).toBe("3");
});

it("soft tags are checked when an entry is read", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use(), fleet.use()];
  await a.get("key", ["_N_T_/a"]);
  await a.set("key", entry("1"));
  await b.updateTags(["_N_T_/b"]);
  expect(await text(await a.get("key", ["_N_T_/a"]))).toBe("1");
  expect(await a.get("key", ["_N_T_/b"])).toBeUndefined();
  await a.set("key", entry("2"));
  expect(await text(await b.get("key", ["_N_T_/b"]))).toBe("2");
});
