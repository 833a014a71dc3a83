import fc from "fast-check";
import { expect, it } from "vitest";
import { ConfigurationError, createCache } from "../../src/index.js";

const segment = fc.constantFrom("t", "u", "1", "42", "-3", "lock", "", "*", "[a]", "x y");
const prefix = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(":"));
const key = fc.constantFrom("a", "1:a", "42:1:a", "lock:a", "t:1:a", ":a");
const version = fc.constantFrom(1, 42, -3);

/** Two caches over one store, or `undefined` where one of the prefixes is refused. */
async function open(prefixes: readonly string[]) {
  const first = createCache({ location: "memory:", keyPrefix: "x" });
  try {
    return prefixes.map((keyPrefix) => createCache({ location: "memory://prefixes", keyPrefix }));
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(String(error)).toMatch(/keyPrefix.*which reads as the version/);
    return undefined;
  } finally {
    await first.close();
  }
}

it("caches with different prefixes never touch each other's entries and locks", async () => {
  await fc.assert(
    fc.asyncProperty(prefix, prefix, key, key, version, async (one, other, keyOfOne, keyOfOther, otherVersion) => {
      fc.pre(one !== other);
      const caches = await open([one, other]);
      if (!caches) return;
      const [a, b] = caches;
      if (!a || !b) return;
      try {
        const options = { version: otherVersion };
        await b.set(keyOfOther, "b", options);
        await using lock = await b.lock(keyOfOther, { ttl: "1h" });
        await a.set(keyOfOne, "a");
        expect(await b.get(keyOfOther, options)).toBe("b");
        expect(await a.keys("*")).toEqual([keyOfOne]);
        await a.deletePattern("*");
        await a.set(keyOfOne, "a");
        expect(await a.clear()).toBe(1);
        expect(await b.get(keyOfOther, options)).toBe("b");
        expect(await lock?.extend("1h")).toBe(true);
      } finally {
        await b.flush();
        await Promise.all([a.close(), b.close()]);
      }
    }),
    { numRuns: 1_000 },
  );
});

it.each(["t:42", "t1:1", "a:-3:b", "a:lock", ":1"])(
  "a prefix that can't be told from another one's version is refused: %j",
  async (keyPrefix) => {
    expect(() => createCache({ location: "memory:", keyPrefix })).toThrow(/keyPrefix.*give a prefix without/);
    await using cache = createCache({ location: "memory:" });
    await expect(cache.get("a", { prefix: keyPrefix })).rejects.toThrow(/prefix: .* is ambiguous/);
  },
);
