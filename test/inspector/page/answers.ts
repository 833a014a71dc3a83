import { NO_COUNTS } from "../../../src/inspect/live.js";
import type { EntryReport, Finding, KeyRow, PurgePreview, WhyReport } from "../../../src/inspect/port.js";
import type { HotName, Info, Live, LiveCounts, LiveEvent } from "../../../src/inspector/api.js";

/** What a test says that the service answers. All of it may change while the service runs. */
export interface Answers {
  info: Info;
  live: Live;
  /** Of all keys; `api/keys` sends them in batches. */
  rows: readonly KeyRow[];
  /** How many rows a batch has, and how many keys there are in all. */
  batch: number;
  total: number;
  /** Waited for before each batch of keys. */
  beforeBatch?: ((start: number) => Promise<void>) | undefined;
  entry: EntryReport;
  why: WhyReport;
  findings: readonly Finding[];
  preview: PurgePreview;
  /** A status for all of `api/`, in place of answers. */
  status: number | undefined;
  /** Lines of progress before a preview or a purge ends; it never ends where this is `Infinity`. */
  steps: number;
}

export function countsOf(parts: Partial<LiveCounts> = {}): LiveCounts {
  return { ...NO_COUNTS, ...parts };
}

const BUSY = countsOf({
  calls: 1_284,
  hits: 1_211,
  misses: 31,
  stale: 42,
  loads: 31,
  waits: 58,
  roundTrips: 402,
  nearHits: 817,
  requests: 96,
  requestHits: 88,
  savedMs: 41_200,
  leasesHeld: 3,
  waiters: 58,
});

const hot = (name: string, calls: number, meanMs: number): HotName => ({
  name,
  calls,
  hits: Math.round(calls * 0.95),
  misses: Math.round(calls * 0.03),
  stale: Math.round(calls * 0.02),
  loads: Math.round(calls * 0.03),
  meanMs,
  maxMs: meanMs * 4.2,
});

const event = (name: string, key: string, atMs: number, durationMs?: number): LiveEvent => ({
  atMs,
  name,
  method: "getOrSet",
  key,
  count: 1,
  durationMs,
  detail: name === "error" ? "ConnectionError: connect ECONNREFUSED 127.0.0.1:6379" : undefined,
});

export function rowOf(storedKey: string, parts: Partial<KeyRow> = {}): KeyRow {
  const now = Date.now();
  return {
    storedKey,
    key: storedKey.split(":").slice(2).join(":"),
    version: 1,
    namespaces: [],
    kind: "value",
    type: "string",
    state: "fresh",
    freshUntilMs: now + 240_000,
    staleUntilMs: now + 540_000,
    expiresMs: now + 540_000,
    storedMs: undefined,
    size: 1_840,
    tags: [],
    ...parts,
  };
}

/** A shop under load. */
export function busyAnswers(): Answers {
  const now = Date.now();
  const process = {
    now: BUSY,
    total: {
      ...countsOf({
        calls: 912_300,
        hits: 861_200,
        misses: 21_900,
        stale: 29_200,
        loads: 21_900,
        savedMs: 18_240_000,
        nearHits: 402_000,
      }),
      seconds: 734,
    },
    roundTrip: { count: 24_120, p50Ms: 0.42, p99Ms: 2.1, maxMs: 14.2 },
    load: { count: 1_860, p50Ms: 38, p99Ms: 412, maxMs: 1_920 },
    wait: { count: 3_480, p50Ms: 31, p99Ms: 390, maxMs: 1_840 },
    leases: [
      { key: "shop:1:product:8812", sinceMs: now - 340 },
      { key: "shop:1:search:winter boots", sinceMs: now - 1_240 },
      { key: "shop:1:ns(tenant-42):report:2026-11", sinceMs: now - 90 },
    ],
    breaker: "closed",
    lastError: undefined,
    near: { entries: 8_412, bytes: 18_400_000, invalidation: "tracking", listening: true },
    hottest: [
      hot("product", 512_400, 41),
      hot("user", 201_800, 12),
      hot("search", 91_200, 310),
      hot("cart", 62_400, 9),
      hot("report", 8_100, 1_240),
    ],
    slowest: [
      hot("report", 8_100, 1_240),
      hot("search", 91_200, 310),
      hot("product", 512_400, 41),
      hot("user", 201_800, 12),
    ],
    hottestKeys: [
      hot("shop:1:product:8812", 41_200, 44),
      hot("shop:1:product:17", 30_100, 38),
      hot("shop:1:user:7", 12_040, 11),
    ],
    slowestKeys: [
      hot("shop:1:ns(tenant-42):report:2026-11", 420, 1_880),
      hot("shop:1:search:winter boots", 3_110, 402),
    ],
  } as const;
  const part = (share: number) =>
    countsOf({
      calls: 1_284 * share,
      hits: 1_211 * share,
      misses: 31,
      stale: 42,
      loads: 31,
      leasesHeld: 2,
      waiters: 19,
    });
  return {
    info: {
      library: "1.0.0-rc.1",
      prefix: "shop",
      version: 1,
      server: "cache.internal:6379/0",
      client: "herd",
      codec: "json with zstd",
      hasNearCache: true,
      mayChange: true,
      token: "a-token",
      processId: "web-1",
    },
    live: {
      atMs: now,
      process,
      fleet: {
        now: countsOf({
          calls: 3_852,
          hits: 3_633,
          misses: 93,
          stale: 126,
          loads: 93,
          leasesHeld: 7,
          waiters: 96,
          savedMs: 123_600,
        }),
        processes: ["web-1", "web-2", "worker-1"].map((id, index) => ({
          id,
          host: `10.0.4.1${index}`,
          now: part(1 - index / 4),
          breaker: "closed",
          nearEntries: index === 2 ? undefined : 8_412 - index * 900,
          nearBytes: undefined,
        })),
        leases: process.leases.map((lease, index) => ({ ...lease, process: index === 1 ? "web-2" : "web-1" })),
        hottestKeys: process.hottestKeys,
        slowestKeys: process.slowestKeys,
      },
      dropped: 0,
      events: [
        event("error", "shop:1:user:9", now - 640),
        event("stale", "shop:1:user:7", now - 420),
        event("load", "shop:1:product:17", now - 300, 38.2),
        event("miss", "shop:1:search:winter boots", now - 120),
        event("hit", "shop:1:product:8812", now - 20),
      ],
    },
    rows: shopRows(),
    batch: 20,
    total: 1_000_000,
    entry: productEntry(now),
    why: productWhy(now),
    findings: FINDINGS,
    preview: {
      scanned: 1_000_000,
      total: 1_000_000,
      matched: 12_480,
      bytes: 22_900_000,
      samples: shopRows().slice(0, 8),
    },
    status: undefined,
    steps: 3,
  };
}

function shopRows(): KeyRow[] {
  return Array.from({ length: 420 }, (_, index) => {
    const kind = ["product", "user", "search", "cart"][index % 4] ?? "product";
    const tenant = index % 3 === 0 ? [`tenant-${1 + (index % 5)}`] : [];
    const state = index % 11 === 4 ? "stale" : index % 17 === 9 ? "ended" : "fresh";
    const tags =
      kind === "product"
        ? [
            { label: "k3J9xQ2mPz0a", tag: "catalogue", purged: "no" as const },
            { label: "aB3dE6gH9jK1", tag: undefined, purged: "no" as const },
          ]
        : [];
    const key = `${kind}:${8_800 + index * 7}`;
    return rowOf(`shop:1:${tenant.map((name) => `ns(${name}):`).join("")}${key}`, {
      key,
      namespaces: tenant,
      state,
      size: 400 + ((index * 977) % 9_000),
      tags,
    });
  });
}

function productEntry(now: number): EntryReport {
  const json = {
    id: 8_812,
    name: "Winter boots “Säntis”",
    price: { amount: 189.9, currency: "CHF" },
    inStock: true,
    sizes: [38, 39, 40, 41, 42, 43, 44],
    description: "Waterproof leather, lined with wool.\nResoleable.",
    images: Array.from({ length: 240 }, (_, index) => ({
      url: `/images/8812-${index}.avif`,
      width: 1_600,
      height: 1_200,
    })),
    discontinued: null,
  };
  return {
    ...rowOf("shop:1:product:8812"),
    atMs: now,
    storedMs: now - 60_000,
    idleMs: 200,
    memoryBytes: 2_112,
    deltaMs: 41,
    lease: undefined,
    tags: [
      { label: "k3J9xQ2mPz0a", tag: "catalogue", purged: "no" },
      { label: "aB3dE6gH9jK1", tag: undefined, purged: "no" },
    ],
    value: {
      codec: "json with zstd",
      isOwnCodec: true,
      text: JSON.stringify(json, null, 2),
      json,
      isCut: false,
      error: undefined,
      response: undefined,
    },
  };
}

function productWhy(now: number): WhyReport {
  return {
    storedKey: "shop:1:product:8812",
    outcome: "hit",
    summary: "getOrSet would answer the stored value: it is fresh for 4 min more",
    get: "hit",
    reasons: [
      "The key exists, and is a value with an envelope.",
      "It is fresh until 4 minutes from now, and has a grace of 5 minutes.",
      "No purge of its tags is newer than its load.",
    ],
    hints: ["The same key exists in version 2: processes of another release have an entry of their own."],
    entry: productEntry(now),
  };
}

const FINDINGS: readonly Finding[] = [
  {
    check: "eviction",
    level: "problem",
    found: "maxmemory-policy is noeviction, and maxmemory is 256 MB",
    meaning: "When memory is full, writes are refused, and values are not stored.",
    remedy: "Set maxmemory-policy to allkeys-lru or volatile-lru.",
  },
  {
    check: "clock",
    level: "warning",
    found: "the server's clock is 1.8 s ahead of this process",
    meaning: "Lifetimes are the server's, so entries are right. Logs of both don't line up.",
    remedy: "Run an NTP client on both machines.",
  },
  {
    check: "version",
    level: "ok",
    found: "Valkey 8.1.3, standalone, primary",
    meaning: "All features of this library work.",
    remedy: "",
  },
  {
    check: "latency",
    level: "ok",
    found: "PING takes 0.4 ms, at most 1.9 ms of 50",
    meaning: "A hit costs one round trip.",
    remedy: "",
  },
  {
    check: "tracking",
    level: "note",
    found: "CLIENT TRACKING is allowed, and 3 connections use it",
    meaning: "Near caches hear of changes from the server.",
    remedy: "",
  },
  {
    check: "cluster",
    level: "skipped",
    found: "the server is no cluster",
    meaning: "Slots and nodes were not looked at.",
    remedy: "",
  },
];
