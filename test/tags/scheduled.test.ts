import fc from "fast-check";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Coalesced } from "../../src/client/single-flight.js";
import { Feed } from "../../src/near/feed.js";
import { NearStore } from "../../src/near/store.js";
import { EntryTags } from "../../src/tags/entry-tags.js";
import { PurgeLog } from "../../src/tags/purge-log.js";
import { prepare, RUN, run } from "./scheduled.js";

beforeAll(prepare);
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance", "setTimeout", "clearTimeout"] }));
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("whatever the order in which commands, replies, loads, purges and what is heard of them come", () => {
  it("no cache of a process answers what was purged, once the process knows of it", async () => {
    await fc.assert(
      fc.asyncProperty(RUN, async (order) => {
        expect(await run(order)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});

const HARD = "a value that was purged hard";
const SOFT = "a value that was purged softly";
const { attach } = EntryTags.prototype;
const { verdict } = PurgeLog.prototype;
const never = (): void => {};

describe("an order is found that breaks the promise", () => {
  it.each<[string, () => unknown, string]>([
    ["callers get what they join", () => vi.spyOn(Coalesced.prototype, "isRunning").mockReturnValue(false), HARD],
    [
      "values are stamped when they are stored",
      () =>
        vi.spyOn(EntryTags.prototype, "attach").mockImplementation(function (this: EntryTags, payloads, tags) {
          return attach.call(this, payloads, tags, this.stamp);
        }),
      HARD,
    ],
    [
      "soft purges end nothing",
      () =>
        vi.spyOn(PurgeLog.prototype, "verdict").mockImplementation(function (this: PurgeLog, ...args) {
          const found = verdict.apply(this, args);
          return found === "soft" ? "good" : found;
        }),
      SOFT,
    ],
    [
      "any notification is taken for that of what was heard",
      () => vi.spyOn(Feed.prototype, "explainsChange").mockReturnValue(true),
      HARD,
    ],
    [
      "own purges are like those of others",
      () => {
        vi.spyOn(NearStore.prototype, "beginWrite").mockImplementation(never);
        vi.spyOn(NearStore.prototype, "endWrite").mockImplementation(never);
      },
      HARD,
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
