import fc from "fast-check";
import { LRUCache } from "lru-cache";
import { describe, expect, it, vi } from "vitest";
import { Elapsed } from "../../src/near/elapsed.js";
import { type Source, unproved } from "../../src/near/source.js";
import { NearStore, type StoreLimits } from "../../src/near/store.js";

const LIMITS: StoreLimits = { maxSize: 1_000_000, maxEntries: 0, ttlMs: Infinity, maxStalenessMs: 2_000, weight: 1 };

function setUp(limits: Partial<StoreLimits> = {}) {
  const at = { monotonic: 0, wall: 1_900_000_000_000 };
  const evicted = vi.fn<(key: string) => void>();
  const time: Elapsed = new Elapsed(() => store.dropAll(), { monotonic: () => at.monotonic, wall: () => at.wall });
  const store: NearStore = new NearStore({ ...LIMITS, ...limits }, time, evicted);
  store.open(LRUCache);
  const source: Source = { confirmedMs: 0, generation: 1, isOver: false };
  const pass = (ms: number): void => {
    at.monotonic += ms;
    at.wall += ms;
  };
  /** A whole read. */
  const read = (key: string, stored: string | Uint8Array, leftMs = Infinity, from = source): void => {
    const mark = store.mark(key, from);
    if (!mark) return;
    store.keep(mark, stored, leftMs, time.now());
    store.release(mark);
  };
  const known = (key: string) => store.recall(key)?.stored;
  return { at, evicted, time, store, source, pass, read, known };
}

describe("the reply to a read", () => {
  it("is kept, and answered while its source is confirmed", () => {
    const { read, known, pass, source } = setUp();
    read("a", "1");
    expect(known("a")).toBe("1");
    pass(1_999);
    expect(known("a")).toBe("1");
    pass(1);
    expect(known("a")).toBeUndefined();
    source.confirmedMs = 1_000;
    expect(known("a")).toBe("1");
  });

  it("is not kept where its entry has changed since it was sent", () => {
    const { store, source, time, known } = setUp();
    const mark = store.mark("a", source);
    expect(store.drop("a")).toBe(false);
    if (mark) store.keep(mark, "old", Infinity, time.now());
    expect(known("a")).toBeUndefined();
  });

  it("is kept where the entry has changed before, and where another one changes", () => {
    const { store, read, known } = setUp();
    store.drop("a");
    read("a", "new");
    store.drop("b");
    expect(known("a")).toBe("new");
  });

  it("is not kept where everything may have changed since", () => {
    const { store, source, time, known } = setUp();
    const mark = store.mark("a", source);
    store.dropAll();
    if (mark) store.keep(mark, "old", Infinity, time.now());
    expect(known("a")).toBeUndefined();
  });

  it("is kept by a read that was sent after the change, and not by one that was sent before, in whatever order they end", () => {
    const { store, source, time, known } = setUp();
    const before = store.mark("a", source);
    store.drop("a");
    const after = store.mark("a", source);
    if (after) store.keep(after, "new", Infinity, time.now());
    if (before) {
      store.keep(before, "old", Infinity, time.now());
      store.release(before);
    }
    expect(known("a")).toBe("new");
    expect(after && store.isValid(after)).toBe(true);
  });

  it("shares its mark with other reads of the key, which lasts until the last of them has ended", () => {
    const { store, source, time, known } = setUp();
    const first = store.mark("a", source);
    const second = store.mark("a", source);
    if (first) store.release(first);
    store.drop("a");
    if (second) store.keep(second, "old", Infinity, time.now());
    expect(known("a")).toBeUndefined();
  });

  it("is not kept where its source is over, or was not confirmed for too long", () => {
    const { store, source, time, known, pass, read } = setUp();
    const mark = store.mark("a", source);
    source.isOver = true;
    if (mark) store.keep(mark, "old", Infinity, time.now());
    expect(known("a")).toBeUndefined();
    expect(store.mark("b", source)).toBeUndefined();
    const silent: Source = { confirmedMs: 0, generation: 1, isOver: false };
    pass(2_000);
    read("c", "old", Infinity, silent);
    expect(store.entries).toBe(0);
  });

  it("is not kept where another source has taken over its key meanwhile", () => {
    const { store, source, time, known } = setUp();
    const old = store.mark("a", source);
    const other: Source = { confirmedMs: 0, generation: 2, isOver: false };
    store.mark("a", other);
    if (old) store.keep(old, "old", Infinity, time.now());
    expect(known("a")).toBeUndefined();
  });
});

describe("an entry in the process", () => {
  it("is dropped by a change, which says whether there was one", () => {
    const { store, read, known } = setUp();
    read("a", "1");
    expect(store.drop("a")).toBe(true);
    expect(store.drop("a")).toBe(false);
    expect(known("a")).toBeUndefined();
  });

  it("ends with its source, for good", () => {
    const { source, read, known, store } = setUp();
    read("a", "1");
    source.isOver = true;
    expect(known("a")).toBeUndefined();
    expect(store.entries).toBe(0);
  });

  it("does not live longer than the server said when the read was sent", () => {
    const { store, source, time, known, pass } = setUp({ maxStalenessMs: 60_000 });
    const mark = store.mark("a", source);
    const sentMs = time.now();
    pass(300);
    if (mark) store.keep(mark, "1", 1_000, sentMs);
    pass(699);
    expect(known("a")).toBe("1");
    pass(1);
    expect(known("a")).toBeUndefined();
    expect(store.entries).toBe(0);
  });

  it("is not kept where its lifetime ended while the reply was on its way", () => {
    const { store, source, time, pass } = setUp();
    const mark = store.mark("a", source);
    const sentMs = time.now();
    pass(100);
    if (mark) store.keep(mark, "1", 100, sentMs);
    expect(store.entries).toBe(0);
  });

  it("does not live longer than the option ttl", () => {
    const { read, known, pass, source } = setUp({ ttlMs: 500 });
    read("a", "1");
    source.confirmedMs = Infinity;
    pass(499);
    expect(known("a")).toBe("1");
    pass(1);
    expect(known("a")).toBeUndefined();
  });

  it("lives for maxStaleness at most where nobody tells of changes", () => {
    const { read, known, pass } = setUp();
    read("a", "1", Infinity, unproved());
    read("b", "2", 500, unproved());
    pass(500);
    expect(known("b")).toBeUndefined();
    pass(1_499);
    expect(known("a")).toBe("1");
    pass(1);
    expect(known("a")).toBeUndefined();
  });

  it("is not answered any more once the wall clock was set back, whoever vouches for it", () => {
    for (const from of [undefined, unproved()]) {
      const { at, read, known } = setUp();
      read("a", "1", Infinity, from);
      at.wall -= 1;
      expect(known("a")).toBeUndefined();
    }
  });

  it("is not answered after the process was frozen, before its source was confirmed again", () => {
    const { at, read, known, source, time } = setUp();
    read("a", "1");
    at.wall += 3_600_000;
    expect(known("a")).toBeUndefined();
    source.confirmedMs = time.now();
    expect(known("a")).toBe("1");
  });
});

describe("a write of this process", () => {
  it("drops the entry when it begins and when it ends, and nothing is kept meanwhile", () => {
    const { store, read, known } = setUp();
    read("a", "old");
    store.beginWrite("a");
    expect(known("a")).toBeUndefined();
    read("a", "old");
    expect(known("a")).toBeUndefined();
    store.endWrite("a");
    expect(known("a")).toBeUndefined();
    read("a", "new");
    expect(known("a")).toBe("new");
  });

  it("ends the marks of reads that were sent before it", () => {
    const { store, source, time, known } = setUp();
    const mark = store.mark("a", source);
    store.beginWrite("a");
    store.endWrite("a");
    if (mark) store.keep(mark, "old", Infinity, time.now());
    expect(known("a")).toBeUndefined();
  });

  it("keeps others' reads from being kept until the last write of the key has ended", () => {
    const { store, read, known } = setUp();
    store.beginWrite("a");
    store.beginWrite("a");
    store.endWrite("a");
    read("a", "old");
    expect(known("a")).toBeUndefined();
    store.endWrite("a");
    read("a", "new");
    expect(known("a")).toBe("new");
  });

  it("of all keys does so for every key", () => {
    const { store, read, known } = setUp();
    read("a", "old");
    store.beginWriteOfAll();
    expect(known("a")).toBeUndefined();
    read("b", "old");
    expect(known("b")).toBeUndefined();
    store.endWriteOfAll();
    read("b", "new");
    expect(known("b")).toBe("new");
  });
});

describe("the size of all entries", () => {
  it("is at most maxSize, whatever is read, and those used last stay", () => {
    const reads = fc.array(
      fc.record({
        key: fc.nat(200).map((n) => `key:${n}`),
        stored: fc.oneof(
          fc.string({ maxLength: 2_000 }),
          fc.string({ unit: "grapheme", maxLength: 500 }),
          fc.uint8Array({ maxLength: 3_000 }),
        ),
      }),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(reads, fc.integer({ min: 1_000, max: 20_000 }), (all, maxSize) => {
        const { store, read, known } = setUp({ maxSize });
        for (const { key, stored } of all) {
          read(key, stored);
          expect(store.size).toBeLessThanOrEqual(maxSize);
          // What fits is there at once.
          if (stored.length * 2 + 600 < maxSize) expect(known(key)).toEqual(stored);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("holds under a flood of distinct keys, each eviction is reported, and marks don't pile up", () => {
    const { store, read, evicted, known } = setUp({ maxSize: 100_000 });
    for (let i = 0; i < 20_000; i++) {
      read(`key:${i}`, "x".repeat(100));
      read("used", "often");
    }
    expect(store.size).toBeLessThanOrEqual(100_000);
    expect(store.entries + evicted.mock.calls.length).toBe(20_001);
    expect(evicted).toHaveBeenNthCalledWith(1, "key:0");
    expect(known("used")).toBe("often");
  });

  it("drops the least recently used first", () => {
    const { read, known, evicted } = setUp({ maxEntries: 3 });
    for (const key of ["a", "b", "c"]) read(key, "1");
    known("a");
    read("d", "1");
    expect(evicted.mock.calls).toEqual([["b"]]);
    expect(["a", "b", "c", "d"].map(known)).toEqual(["1", undefined, "1", "1"]);
  });

  it("has no place for an entry that is larger than all of it, which ends the one before", () => {
    const { read, known, store } = setUp({ maxSize: 2_000 });
    read("a", "1");
    read("a", "x".repeat(3_000));
    expect(known("a")).toBeUndefined();
    expect(store.size).toBe(0);
  });

  it("is nothing when everything was dropped, which no eviction reports", () => {
    const { read, store, evicted } = setUp();
    read("a", "1");
    read("b", "2");
    expect(store.dropAll()).toBe(2);
    expect([store.size, store.entries]).toEqual([0, 0]);
    expect(evicted).not.toHaveBeenCalled();
  });

  it("counts two bytes for each character where one of them needs two", () => {
    const [latin, wide] = [setUp(), setUp()];
    latin.read("a", "é".repeat(100));
    wide.read("a", "日".repeat(100));
    expect(wide.store.size - latin.store.size).toBe(100);
  });
});
