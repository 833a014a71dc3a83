import { expect, it, onTestFinished, vi } from "vitest";
import { createCache } from "../../src/index.js";

it("a tag is hashed once, however many entries of one call have it", async () => {
  const cache = createCache({ location: "memory:" });
  onTestFinished(() => cache.close());
  const digest = vi.spyOn(crypto.subtle, "digest");
  const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`);
  const load = (missing: readonly string[]) => new Map(missing.map((key) => [key, key]));
  await cache.getOrSetMany(keys, load, { tags: ["loaded", "labels"] });
  expect(digest).toHaveBeenCalledTimes(2);
  await cache.setMany(new Map(keys.map((key) => [key, 1])), {
    tags: (_, key) => ["written", "labels", `last ${key.at(-1)}`],
  });
  expect(digest).toHaveBeenCalledTimes(2 + 1 + 10);
  await cache.purgeTags(["last 7"]);
  expect((await cache.getMany(keys)).size).toBe(90);
});
