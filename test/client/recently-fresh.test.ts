import { expect, it } from "vitest";
import { RecentlyFresh } from "../../src/client/single-flight.js";

const CAPACITY = 10_000;

it("remembers a key until its entry expires", () => {
  const keys = new RecentlyFresh();
  keys.add("a", 100);
  expect(keys.has("a", 99)).toBe(true);
  expect(keys.has("a", 100)).toBe(false);
  keys.delete("a");
  expect(keys.has("a", 99)).toBe(false);
});

it("evicts the key that was added longest ago, and no other, when it is full", () => {
  const keys = new RecentlyFresh();
  for (let i = 0; i < CAPACITY; i++) keys.add(`${i}`, 100);
  keys.add("0", 100);
  keys.add("one more", 100);
  const evicted = Array.from({ length: CAPACITY }, (_, i) => `${i}`).filter((key) => !keys.has(key, 1));
  expect(evicted).toEqual(["1"]);
  expect(keys.has("one more", 1)).toBe(true);
});
