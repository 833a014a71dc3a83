import { randomUUID } from "node:crypto";
import { describe, expect, inject, it, vi } from "vitest";
import { type CacheOptions, createCache, DecodeError, herd, json, type NearCacheOptions } from "../../src/index.js";
import { until } from "../support/wait.js";
import { Near } from "./near.js";

/** Decodes in a later turn, and only JSON. */
const slowJson = () => {
  const inner = json();
  return { ...inner, deserialize: async (stored: string | Uint8Array) => inner.deserialize(stored) };
};

async function open(options: Partial<CacheOptions> = {}, near: NearCacheOptions = {}): Promise<Near> {
  const common = { location: inject("valkeyUrl"), keyPrefix: randomUUID(), commandTimeout: 5 };
  const one = new Near({ ...common, ...options } as CacheOptions, near);
  await one.cache.get("connect");
  await until(async () => (await one.cache.health()).nearCache?.listening, { what: "the near cache to listen" });
  return one;
}

/** Writes, and waits until the process knows the entry: the server tells of the write a moment after its reply. */
async function put(near: Near, key: string, value: unknown): Promise<void> {
  await near.cache.set(key, value);
  await until(() => near.knows(key), { what: `the process to know ${key}` });
}

/** Writes past the cache. */
async function plant({ cache }: Near, key: string, stored: string): Promise<void> {
  const [name] = await cache.connection.send([["SET", String(cache.makeKey(key)), stored]]);
  expect(name).toBe("OK");
}

describe("a value that the process knows", () => {
  it("is each caller's own, as one of the server would be", async () => {
    await using near = await open();
    await put(near, "a", { list: [1] });
    const known = await near.read("a");
    expect(known.isKnown).toBe(true);
    (known.value as { list: number[] }).list.push(2);
    expect(await near.read("a")).toEqual({ value: { list: [1] }, isKnown: true });
  });

  it("is one that all share and nobody can change, where that was asked for", async () => {
    await using near = await open({}, { values: "shared" });
    await put(near, "a", { list: [1] });
    const values = [await near.read("a"), await near.read("a"), await near.read("a")].map(({ value }) => value);
    expect(values[2]).toBe(values[1]);
    for (const value of [...values, await near.cache.getOrSet("a", () => ({ list: [2] }))]) {
      expect(value).toEqual({ list: [1] });
      expect(Object.isFrozen((value as { list: number[] }).list)).toBe(true);
    }
    const loaded = await near.cache.getOrSet("b", () => ({ list: [3] }));
    expect(Object.isFrozen(loaded.list)).toBe(true);
  });

  it.each(["copy", "shared"] as const)("may take a turn to decode, with values: %j", async (values) => {
    await using near = await open({ serializer: slowJson() }, { values });
    await put(near, "a", { n: 1 });
    for (let i = 0; i < 4; i++) expect(await near.read("a")).toEqual({ value: { n: 1 }, isKnown: true });
    const [one, two] = [await near.cache.get("a"), await near.cache.get("a")];
    expect(one === two).toBe(values === "shared");
  });

  it.each([
    ["at once", json()],
    ["after a turn", slowJson()],
  ])(
    "that can't be decoded, which shows %s, is reported and loaded again as without a near cache",
    async (_name, serializer) => {
      for (const client of [undefined, herd()]) {
        await using near = await open({ serializer, client });
        await plant(near, "a", "{no JSON");
        for (let i = 0; i < 3; i++) await expect(near.cache.get("a")).rejects.toThrow(DecodeError);
        expect(await near.cache.getOrSet("a", () => ({ n: 2 }))).toEqual({ n: 2 });
        expect(near.errors.some((error) => error instanceof DecodeError)).toBe(true);
        expect(await near.cache.get("a")).toEqual({ n: 2 });
      }
    },
  );

  it("is read by each of two caches with a serializer of its own", async () => {
    const keyPrefix = randomUUID();
    await using one = await open({ keyPrefix });
    await using other = await open({ keyPrefix, serializer: { ...json(), name: "other", deserialize: () => "other" } });
    await one.cache.set("a", { n: 1 });
    for (let i = 0; i < 3; i++) {
      expect((await one.read("a")).value).toEqual({ n: 1 });
      expect((await other.read("a")).value).toBe("other");
    }
  });
});

it("own writes are seen at once also under a prefix of a call's own, by the cache that has it", async () => {
  const keyPrefix = randomUUID();
  await using near = await open({ keyPrefix });
  await using writer = await open();
  await put(near, "a", 1);
  await writer.cache.set("a", 2, { prefix: keyPrefix });
  expect(await near.cache.get("a")).toBe(2);
});

describe("what a lookup of herd() finds", () => {
  it("is known from then on, and read no more", async () => {
    const keyPrefix = randomUUID();
    await using other = createCache({ location: inject("valkeyUrl"), keyPrefix, client: herd() });
    await other.setMany({ a: 1, b: 2, c: 3 });
    await using near = await open({ keyPrefix, client: herd() });
    const loader = vi.fn(() => 0);
    const loaderOfMany = vi.fn(() => new Map());
    const sent: string[][] = [];
    near.cache.on("roundTrip", ({ commands }) => void sent.push([...commands]));
    for (let i = 0; i < 3; i++) {
      expect(await near.cache.getOrSet("a", loader)).toBe(1);
      expect(await near.cache.getOrSetMany(["b", "c"], loaderOfMany)).toEqual(
        new Map([
          ["b", 2],
          ["c", 3],
        ]),
      );
    }
    expect(loader).not.toHaveBeenCalled();
    expect(loaderOfMany).not.toHaveBeenCalled();
    expect(sent).toEqual([
      ["SET", "PTTL"],
      ["SET", "SET", "PTTL", "PTTL"],
    ]);
  });

  it("is seen at once where it was created, by every near cache of the process", async () => {
    const keyPrefix = randomUUID();
    await using one = await open({ keyPrefix, client: herd() });
    await using other = await open({ keyPrefix, client: herd() });
    await put(one, "a", 1);
    await put(other, "a", 1);
    await one.cache.delete("a");
    expect(await other.cache.getOrSet("a", () => 2)).toBe(2);
    expect(await one.cache.get("a")).toBe(2);
  });
});
