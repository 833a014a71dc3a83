import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Near } from "../../src/near/near-cache.js";
import { NearStore } from "../../src/near/store.js";
import { RUN, run } from "./scheduled.js";

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance", "setTimeout", "clearTimeout"] }));
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("whatever the order in which commands, replies and invalidations come", () => {
  it("two caches of a process answer nothing that they must not", async () => {
    await fc.assert(
      fc.asyncProperty(RUN, async (order) => {
        expect(await run(order)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});

const { mark, isValid } = NearStore.prototype;
const { keep, writes, beginWrite, endWrite } = Near.prototype;

describe("an order is found that breaks a promise", () => {
  it.each<[string, () => unknown, string]>([
    [
      "changes end no marks",
      () =>
        vi.spyOn(NearStore.prototype, "mark").mockImplementation(function (this: NearStore, ...args) {
          const made = mark.apply(this, args);
          return made && { ...made };
        }),
      "a value of whose end was heard",
    ],
    [
      "replies are kept whatever their mark says",
      () =>
        vi.spyOn(NearStore.prototype, "isValid").mockImplementation(function (this: NearStore, made) {
          return isValid.call(this, { ...made, isValid: true });
        }),
      "a value of whose end was heard",
    ],
    [
      "a flush drops nothing",
      () => vi.spyOn(Near.prototype, "dropAll").mockReturnValue(),
      "a value of whose end was heard",
    ],
    [
      "own writes are left to the server",
      () => vi.spyOn(Near.prototype, "writes").mockReturnValue(() => {}),
      "a value from before an own write",
    ],
    [
      "own writes end when they are sent",
      () =>
        vi.spyOn(Near.prototype, "writes").mockImplementation(function (this: Near, ...args) {
          writes.apply(this, args)();
          return () => {};
        }),
      "a value from before an own write",
    ],
    [
      "own writes concern only the cache that makes them",
      () =>
        vi.spyOn(Near.prototype, "writes").mockImplementation(function (this: Near, written) {
          beginWrite.call(this, written);
          return () => endWrite.call(this, written);
        }),
      "a value from before an own write",
    ],
    [
      "lifetimes begin when the reply arrives",
      () =>
        vi.spyOn(Near.prototype, "keep").mockImplementation(function (this: Near, made, stored, left) {
          keep.call(this, made, stored, left, this.nowMs());
        }),
      "a value whose lifetime was over",
    ],
  ])("where %s", async (_name, mutate, promise) => {
    mutate();
    const broken = new Set<string | undefined>();
    const property = fc.asyncProperty(RUN, async (order) => {
      const wrong = await run(order);
      broken.add(wrong);
      return wrong !== promise;
    });
    await fc.check(property, { numRuns: 3_000, seed: 17, endOnFailure: true });
    expect(broken).toContain(promise);
  });
});
