import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cache, createCache, iovalkey, memory } from "../../src/index.js";
import { judge, PurgeLog, readLog, type Stamp, type Verdict } from "../../src/tags/purge-log.js";
import type { Reader } from "../../src/tags/records.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

let server: ValkeyServer;
let cache: Cache;
let logs = 0;

beforeAll(async () => {
  server = await startValkey();
  const factory = iovalkey({ commandTimeout: "20s" });
  cache = createCache({ location: `valkey://${server.host}:${server.port}`, connectionFactory: factory });
});

afterAll(async () => {
  await cache.close();
  await server.stop();
});

const newKey = (): string => `log-${++logs}`;
const labelOf = (name: string | number): string => String(name).padStart(12, "-");
const labels = (count: number, from = 0): string[] => Array.from({ length: count }, (_none, i) => labelOf(from + i));

/** What one process knows of a log. */
class Process {
  readonly log: PurgeLog;
  readonly #cache: Cache;

  constructor(key: string, maxMembers?: number, of: Cache = cache) {
    this.#cache = of;
    this.log = new PurgeLog(key, maxMembers);
  }

  /** Begins a load. */
  async stamp(): Promise<Stamp> {
    await readLog(this.#cache.connection, this.log);
    return this.log.stamp ?? this.log.begin(this.#cache.connection);
  }

  /** Reads an entry. */
  async verdict(names: readonly string[], stamp: Stamp, reader: Reader = "data"): Promise<Verdict> {
    await readLog(this.#cache.connection, this.log);
    return judge(this.#cache.connection, this.log, { labels: names, stamp }, reader);
  }

  /** Purges what has all of these labels. */
  purgeTogether(names: readonly string[], soft = false, only?: Reader): Promise<void> {
    return this.log.appendTogether(this.#cache.connection, names, soft, only);
  }

  purge(names: readonly string[], soft = false, only?: Reader): Promise<void> {
    return this.log.append(this.#cache.connection, names, soft, only);
  }
}

const NAMES = ["a", "b", "c", "d"].map(labelOf);
const READERS = ["data", "http"] as const;
const place = fc.integer({ min: 0, max: 1 });
const some = fc.subarray(NAMES, { minLength: 1 });
type Step =
  | { readonly kind: "store"; readonly at: number; readonly labels: readonly string[] }
  | {
      readonly kind: "purge";
      readonly at: number;
      readonly labels: readonly string[];
      readonly soft: boolean;
      readonly all: boolean;
      readonly only?: Reader;
    }
  | { readonly kind: "others"; readonly at: number; readonly count: number }
  | { readonly kind: "restart"; readonly at: number }
  | { readonly kind: "look"; readonly at: number }
  | { readonly kind: "lose" };
const purge = fc.record(
  {
    kind: fc.constant("purge" as const),
    at: place,
    labels: some,
    soft: fc.boolean(),
    all: fc.boolean(),
    only: fc.constantFrom(...READERS),
  },
  { requiredKeys: ["kind", "at", "labels", "soft", "all"] },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("store" as const), at: place, labels: some }) },
  { weight: 4, arbitrary: purge },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("others" as const), at: place, count: fc.constantFrom(1, 5, 1_200) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), at: place }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("look" as const), at: place }) },
  { weight: 1, arbitrary: fc.constant({ kind: "lose" as const }) },
);

interface Stored {
  readonly labels: readonly string[];
  readonly stamp: Stamp;
  /** What later purges make of it, for each reader. */
  readonly purged: Record<Reader, Verdict>;
  isLost: boolean;
}

const RANK = { good: 0, soft: 1, hard: 2 };

/** Plays steps, and compares all that processes say of entries with what happened. @param isWhole nothing is dropped */
async function play(of: Cache, steps: readonly Step[], maxMembers: number, isWhole: boolean): Promise<void> {
  const key = newKey();
  const processes = [new Process(key, maxMembers, of), new Process(key, maxMembers, of)];
  const entries: Stored[] = [];
  let others = 0;
  const look = async (process: Process | undefined): Promise<void> => {
    for (const { labels: own, stamp, purged, isLost } of entries) {
      for (const reader of READERS) {
        const verdict = await process?.verdict(own, stamp, reader);
        if (isLost) expect(verdict).toBe("soft");
        else if (isWhole) expect(verdict).toBe(purged[reader]);
        else if (purged[reader] === "good") expect(verdict).not.toBe("hard");
        else expect(verdict).not.toBe("good");
      }
    }
  };
  for (const one of [...steps, { kind: "look", at: 0 } as const, { kind: "look", at: 1 } as const]) {
    if (one.kind === "lose") {
      await of.connection.send([["UNLINK", key]]);
      for (const entry of entries) entry.isLost = true;
      continue;
    }
    const process = processes[one.at];
    if (one.kind === "restart") processes[one.at] = new Process(key, maxMembers, of);
    else if (one.kind === "look") await look(process);
    else if (one.kind === "others") {
      others += 10_000;
      await process?.purge(labels(one.count, others));
    } else if (one.kind === "purge") {
      const isTogether = one.all && one.labels.length > 1;
      if (isTogether) await process?.purgeTogether(one.labels, one.soft, one.only);
      else await process?.purge(one.labels, one.soft, one.only);
      const verdict = one.soft ? "soft" : "hard";
      for (const { labels: own, purged } of entries) {
        for (const reader of READERS) {
          const applies =
            (one.only ?? reader) === reader &&
            (isTogether
              ? one.labels.every((label) => own.includes(label))
              : own.some((label) => one.labels.includes(label)));
          if (applies && RANK[verdict] > RANK[purged[reader]]) purged[reader] = verdict;
        }
      }
    } else if (process) {
      const stamp = await process.stamp();
      entries.push({ labels: one.labels, stamp, purged: { data: "good", http: "good" }, isLost: false });
    }
  }
}

describe("a purge log", () => {
  it("over a server: every process says of every entry what was purged since its load began", async () => {
    const steps = fc.array(step, { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, (all) => play(cache, all, 500_000, true)),
      { numRuns: 150 },
    );
  }, 60_000);

  it("over a server, when it drops its oldest records: no process says of a purged entry that it is good", async () => {
    const steps = fc.array(step, { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(3, 8, 1_100), (all, most) => play(cache, all, most, false)),
      { numRuns: 150 },
    );
  }, 60_000);

  it("in memory: does as over a server", async () => {
    const steps = fc.array(step, { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(8, 500_000), async (all, most) => {
        await using own = createCache({ location: "memory:", connectionFactory: memory() });
        await play(own, all, most, most > 8);
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it("leaves entries with other tags good while 60,000 tags are purged, in a process that reads along and in a new one", async () => {
    const key = newKey();
    const [reading, other] = [new Process(key), new Process(key)];
    const stamp = await reading.stamp();
    await other.purge([labelOf("early")]);
    for (let i = 0; i < 60; i++) {
      for (let j = 0; j < 10; j++) await other.purge(labels(100, i * 1_000 + j * 100));
      expect(await reading.verdict([labelOf("own")], stamp)).toBe("good");
    }
    for (const process of [reading, other, new Process(key)]) {
      expect(await process.verdict([labelOf("own")], stamp)).toBe("good");
      expect(await process.verdict([labelOf("own"), labelOf("early")], stamp)).toBe("hard");
      expect(await process.verdict([labelOf(31_415)], stamp)).toBe("hard");
    }
  }, 60_000);

  it("asks for the labels of an old entry once", async () => {
    const key = newKey();
    const process = new Process(key);
    const stamp = await process.stamp();
    await process.purge(labels(2_000));
    const old = new Process(key);
    const sent = async (): Promise<number> => {
      const before = cache.events.sent.commands;
      expect(await old.verdict([labelOf("own")], stamp)).toBe("good");
      return cache.events.sent.commands - before;
    };
    expect(await sent()).toBeGreaterThan(1);
    expect(await sent()).toBe(1);
    await process.purge([labelOf("own")]);
    expect(await old.verdict([labelOf("own")], stamp)).toBe("hard");
  });

  it("asks again when more was purged than a process reads at once", async () => {
    const key = newKey();
    const process = new Process(key);
    const stamp = await process.stamp();
    await process.purge(labels(2_000));
    const old = new Process(key);
    expect(await old.verdict([labelOf("own")], stamp)).toBe("good");
    await process.purge([labelOf("own")]);
    await process.purge(labels(2_000));
    expect(await old.verdict([labelOf("own")], stamp)).toBe("hard");
  });

  it("knows of purges that a process has heard of, and has no room for any more", async () => {
    const key = newKey();
    const process = new Process(key);
    const stamp = await process.stamp();
    await process.purge(labels(2_000));
    const [along, asked] = [new Process(key), new Process(key)];
    for (const one of [along, asked]) await one.stamp();
    expect(await asked.verdict([labelOf("own")], stamp)).toBe("good");
    const later = await process.stamp();
    await process.purge([labelOf("own")]);
    for (let i = 0; i < 25; i++) {
      await process.purge(labels(900, 10_000 + i * 900));
      for (const one of [along, asked]) await one.stamp();
    }
    for (const one of [along, asked]) {
      expect(await one.verdict([labelOf("own")], later)).toBe("hard");
      expect(await one.verdict([labelOf("own")], stamp)).toBe("hard");
      expect(await one.verdict([labelOf("other")], later)).toBe("good");
    }
  });

  it("that is lost while a process asks for labels ends nothing for good", async () => {
    const key = newKey();
    const process = new Process(key);
    const stamp = await process.stamp();
    await process.purge(labels(2_000));
    const { log } = new Process(key);
    await readLog(cache.connection, log);
    await cache.connection.send([["UNLINK", key]]);
    expect(log.verdict({ labels: [labelOf("own")], stamp }, "data")).toBe("unknown");
    await log.ask(cache.connection, [labelOf("own")]);
    expect(log.verdict({ labels: [labelOf("own")], stamp }, "data")).toBe("soft");
  });

  it("gives a new process no more than 64 KiB to read", async () => {
    const key = newKey();
    const process = new Process(key);
    for (let i = 0; i < 100; i++) await process.purge(labels(100, i * 100));
    const [reply] = await cache.connection.send([process.log.read(undefined).command]);
    const parts = Array.isArray(reply) ? reply.flat() : [];
    expect(parts.length).toBeGreaterThan(2_000);
    // Each part has its length before it, and two line ends.
    const bytes = parts.reduce<number>((sum, part) => sum + Buffer.from(part as Uint8Array).length + 8, 0);
    expect(bytes).toBeLessThanOrEqual(65_536);
  });

  it("has one record for each tag, however often it is purged", async () => {
    const key = newKey();
    const process = new Process(key);
    for (let i = 0; i < 200; i++) await process.purge([labelOf("a")]);
    expect(await cache.connection.send([["ZCARD", key]])).toEqual([2]);
  });

  it("drops its oldest records beyond 500,000, and has at most 64 MB", async () => {
    const key = newKey();
    const process = new Process(key);
    const [first, last] = [await process.stamp(), labelOf("last")];
    for (let i = 0; i < 251; i++) await process.purge(labels(2_000, i * 2_000));
    await process.purge([last]);
    const [members, size] = await cache.connection.send([
      ["ZCARD", key],
      ["MEMORY", "USAGE", key, "SAMPLES", "0"],
    ]);
    expect(members).toBeGreaterThan(490_000);
    expect(members).toBeLessThanOrEqual(500_001);
    expect(size).toBeLessThanOrEqual(64 * 2 ** 20);
    expect(await new Process(key).verdict([labelOf("own")], first)).toBe("soft");
    expect(await new Process(key).verdict([last], first)).toBe("hard");
  }, 60_000);

  it("keeps the last 1,000 purges of several labels together, and counts what is older as softly purged", async () => {
    const key = newKey();
    const process = new Process(key);
    const early = await process.stamp();
    for (let i = 0; i < 10; i++) await process.purgeTogether(labels(2, 10 * i));
    const stamp = await process.stamp();
    for (let i = 0; i < 1_000; i++) await process.purgeTogether(labels(2, 1_000 + 10 * i));
    for (const one of [process, new Process(key)]) {
      expect(await one.verdict(labels(2), early)).not.toBe("good");
      expect(await one.verdict([labelOf(0), labelOf(10)], stamp)).toBe("good");
      expect(await one.verdict([labelOf(0)], early)).toBe("good");
      expect(await one.verdict(labels(3, 10_990), stamp)).toBe("hard");
      expect(await one.verdict([labelOf(10_990), labelOf(0)], stamp)).toBe("good");
    }
    expect(await cache.connection.send([["ZRANGEBYSCORE", key, "-inf", "(0"]])).toMatchObject([{ length: 1_000 }]);
  });

  it("may have dropped the number of a purge of several labels together that a process has heard of", async () => {
    const key = newKey();
    const process = new Process(key, 3);
    await process.purge([labelOf("a")]);
    const stamp = await process.stamp();
    await process.purgeTogether([labelOf("b"), labelOf("c")]);
    await process.stamp();
    for (let i = 0; i < 5; i++) await process.purge([labelOf(i)]);
    expect(await process.verdict([labelOf("b"), labelOf("d")], stamp)).not.toBe("hard");
  });

  it("does not use a number twice when the server has lost the end of the log", async () => {
    const key = newKey();
    const [one, other] = [new Process(key), new Process(key)];
    await one.purge([labelOf("a")]);
    const [copied] = await cache.connection.send([["COPY", key, `${key}-before`]]);
    expect(copied).toBe(1);
    for (let i = 0; i < 3; i++) await one.purge([labelOf("b")]);
    const stamp = await other.stamp();
    await cache.connection.send([["RENAME", `${key}-before`, key]]);
    await one.purge([labelOf("c")]);
    expect(await other.verdict([labelOf("c")], stamp)).toBe("hard");
  });
});
