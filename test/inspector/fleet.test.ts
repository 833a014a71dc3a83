import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import { type Cache, createCache, herd, memory } from "../../src/index.js";
import { watchFleet } from "../../src/inspect/fleet.js";
import { listKeys } from "../../src/inspect/list.js";
import type { FleetLive } from "../../src/inspect/live.js";
import type { Info } from "../../src/inspector/api.js";
import { inspector, reportStatistics } from "../../src/inspector/index.js";
import { slotOf } from "../../src/near/slots.js";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { startRestServer } from "../support/rest-server.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";
import { watched } from "../support/watched.js";
import { everyone, openCache, serveInspector, uniquePrefix, watchLive } from "./app.js";

let prefix: string;
/** What all members of a test share. */
let store: ReturnType<typeof memory>;

beforeEach(() => {
  prefix = uniquePrefix();
  store = memory();
});

/** One process of the fleet, and what it sends. */
function openMember(options: { keyPrefix?: string } = {}) {
  const { factory, roundTrips } = watched(store);
  const cache = createCache({
    location: "memory:",
    connectionFactory: factory,
    keyPrefix: prefix,
    client: herd(),
    logger: false,
    ...options,
  });
  onTestFinished(() => cache.close());
  const sent = (): string[] =>
    roundTrips.flatMap((one) => (one.kind === "send" ? one.commands.map(([name]) => name) : [one.kind]));
  return { cache, sent, roundTrips };
}

/** Watches over a connection of its own, as another process does. */
function openWatcher() {
  const { cache } = openMember();
  const ended = new AbortController();
  const seconds = watchFleet(cache, { signal: ended.signal })[Symbol.asyncIterator]();
  let fleet: FleetLive | undefined;
  const reading = (async () => {
    for (let step = await seconds.next(); !step.done; step = await seconds.next()) fleet = step.value.fleet;
  })();
  const leave = async (): Promise<void> => {
    ended.abort();
    await reading;
  };
  onTestFinished(leave);
  return { cache, leave, fleet: () => fleet };
}

/** Lets time pass, while some caches are used ten times a second. */
async function pass(seconds: number, ...used: readonly Cache[]): Promise<void> {
  for (let i = 0; i < seconds * 10; i++) {
    for (const cache of used) await cache.get("a");
    await vi.advanceTimersByTimeAsync(100);
  }
}

const hostsOf = (fleet: FleetLive | undefined): number => fleet?.processes.length ?? -1;

describe("processes of a fleet", () => {
  beforeEach(() => {
    // Not setImmediate: scans let other work run between two batches.
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
    return () => vi.useRealTimers();
  });

  it("publish nothing and have no timer while they are not watched: each looks every 3 s at most, and only while it is used", async () => {
    const { cache, sent } = openMember();
    inspector({ cache, authorize: everyone });
    await pass(10);
    expect(sent()).toEqual([]);
    await pass(10, cache);
    const looks = sent().filter((name) => name !== "GET");
    expect(looks).toEqual(["EXISTS", "EXISTS", "EXISTS", "EXISTS"]);
    expect(vi.getTimerCount()).toBe(0);
    expect(cache.events.isHeard("call")).toBe(false);
    expect(cache.events.isHeard("roundTrip")).toBe(false);
    await pass(10);
    expect(sent().filter((name) => name !== "GET")).toHaveLength(4);
  });

  it("send nothing of their own where the option fleet is off, or after the last of them has stopped to report", async () => {
    const { cache, sent } = openMember();
    inspector({ cache, authorize: everyone, fleet: false });
    await pass(4, cache);
    reportStatistics(cache)();
    await pass(4, cache);
    expect(new Set(sent())).toEqual(new Set(["GET"]));
    expect(cache.events.used).toBeUndefined();
  });

  it("report while they are watched, and are added up", async () => {
    const [one, other] = [openMember(), openMember()];
    const end = reportStatistics(one.cache);
    reportStatistics(other.cache);
    const watcher = openWatcher();
    await pass(5, one.cache, other.cache);
    const fleet = watcher.fleet();
    expect(hostsOf(fleet)).toBe(2);
    expect(fleet?.processes[0]?.host).toMatch(/:\d+$/);
    expect(fleet?.processes.map(({ now }) => now.calls)).toEqual([10, 10]);
    expect(fleet?.now).toMatchObject({ calls: 20, misses: 20, hits: 0 });
    expect(fleet?.hottestKeys).toMatchObject([{ name: `${prefix}:1:a` }]);
    expect(one.cache.events.isHeard("call")).toBe(true);
    end();
    await pass(5, one.cache, other.cache);
    expect(hostsOf(watcher.fleet())).toBe(1);
    expect(one.cache.events.isHeard("call")).toBe(false);
  });

  it("stop when the last watcher has left, and leave nothing in the store", async () => {
    const { cache, sent } = openMember();
    reportStatistics(cache);
    const [one, other] = [openWatcher(), openWatcher()];
    await pass(5, cache);
    await one.leave();
    await pass(7, cache);
    expect(hostsOf(other.fleet())).toBe(1);
    await other.leave();
    await pass(8, cache);
    const before = sent().length;
    await pass(5, cache);
    expect(new Set(sent().slice(before))).toEqual(new Set(["GET", "EXISTS"]));
    expect(cache.events.isHeard("call")).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
    await pass(12);
    const [keys] = await cache.connection.send([["DBSIZE"]]);
    expect(keys).toBe(0);
  });

  it("are dropped when they report no more, and their summaries are deleted later", async () => {
    const { cache } = openMember();
    const lost = openMember();
    reportStatistics(cache);
    reportStatistics(lost.cache);
    const watcher = openWatcher();
    await pass(5, cache, lost.cache);
    expect(hostsOf(watcher.fleet())).toBe(2);
    await lost.cache.close();
    await pass(5, cache);
    expect(hostsOf(watcher.fleet())).toBe(1);
    const summaries = `${prefix}:lock:{valkey-edge-cache}:processes`;
    expect(await cache.connection.send([["HLEN", summaries]])).toEqual([2]);
    await pass(65, cache);
    expect(await cache.connection.send([["HLEN", summaries]])).toEqual([1]);
  });

  it("report the leases that they hold, and what they load slowly", async () => {
    const { cache } = openMember();
    reportStatistics(cache);
    const watcher = openWatcher();
    // Loads the code of the herd client, for which fake time doesn't wait.
    await cache.getOrSet("first", () => 1);
    await pass(4, cache);
    const loading = cache.getOrSet("slow", () => new Promise((resolve) => setTimeout(resolve, 2_500, 1)));
    await pass(2, cache);
    expect(watcher.fleet()?.leases).toMatchObject([{ key: `${prefix}:1:slow` }]);
    expect(watcher.fleet()?.now).toMatchObject({ leasesHeld: 1, waiters: 0 });
    await pass(2, cache);
    await loading;
    expect(watcher.fleet()?.slowestKeys[0]).toMatchObject({ name: `${prefix}:1:slow`, maxMs: 2_500 });
    expect(watcher.fleet()?.now.leasesHeld).toBe(0);
  });

  it("are those of one prefix, and their keys are no entries: keys, clear and patterns leave them alone", async () => {
    const { cache } = openMember();
    const stranger = openMember({ keyPrefix: `${prefix}-other` });
    reportStatistics(cache);
    reportStatistics(stranger.cache);
    const watcher = openWatcher();
    await cache.set("a", 1);
    await pass(5, cache, stranger.cache);
    expect(hostsOf(watcher.fleet())).toBe(1);
    expect(await cache.keys("*")).toEqual(["a"]);
    const listed: string[] = [];
    for await (const { rows } of listKeys(cache, {})) listed.push(...rows.map(({ storedKey }) => storedKey));
    expect(listed).toEqual([`${prefix}:1:a`]);
    expect(await cache.deletePattern("*")).toBe(1);
    await cache.set("a", 1);
    expect(await cache.clear()).toBe(1);
    await pass(2, cache);
    expect(hostsOf(watcher.fleet())).toBe(1);
  });

  it("leave out what is no summary", async () => {
    const { cache } = openMember();
    reportStatistics(cache);
    const watcher = openWatcher();
    await pass(4, cache);
    const summaries = `${prefix}:lock:{valkey-edge-cache}:processes`;
    const counts = {
      sequence: 1,
      now: { calls: "7", hits: Number.MAX_VALUE },
      hottestKeys: [7, { name: {} }],
      leases: {},
    };
    const fields: string[] = ["no-json", "{", "no-object", "[]", "no-number", "{}", "huge", `"${"x".repeat(20_000)}"`];
    fields.push("odd", JSON.stringify({ ...counts, now: { calls: "7", hits: null } }));
    await cache.connection.send([
      ["HSET", summaries, ...fields],
      ["HSET", summaries, "bytes", new Uint8Array([255, 254])],
    ]);
    await pass(1, cache);
    const fleet = watcher.fleet();
    expect(fleet?.processes.map(({ id }) => id).filter((id) => id.length < 8)).toEqual(["odd"]);
    expect(fleet?.now.calls).toBe(10);
  });

  it("don't report where a key function leaves the version out, as their keys would be those of entries", async () => {
    const { factory, roundTrips } = watched(store);
    const keyFunction = (key: string, own: string): string => `${own}/${key}`;
    const cache = openCache({ location: "memory:", connectionFactory: factory, keyFunction });
    reportStatistics(cache);
    await pass(5, cache);
    expect(roundTrips).toHaveLength(50);
    for await (const { fleet } of watchFleet(cache)) {
      expect(fleet?.processes).toEqual([]);
      break;
    }
  });
});

const WORKER = fileURLToPath(new URL("member.ts", import.meta.url));

describe("processes of a fleet over real servers", () => {
  async function startProcess(location: string): Promise<ChildProcess> {
    const child = spawn(process.execPath, [WORKER, location, prefix], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    if (child.stdout) await once(child.stdout, "data");
    return child;
  }

  /** Watches until the fleet is as it should be. @returns it */
  async function watchUntil(cache: Cache, test: (fleet: FleetLive) => boolean): Promise<FleetLive> {
    const ended = AbortSignal.timeout(12_000);
    for await (const { fleet } of watchFleet(cache, { signal: ended })) if (fleet && test(fleet)) return fleet;
    throw new Error("it took more than 12 s");
  }

  it("appear within seconds, drop out when they are killed, and end their work when the watcher is killed", async () => {
    const location = inject("valkeyUrl");
    const [one, other] = await Promise.all([startProcess(location), startProcess(location)]);
    const cache = openCache({ location, keyPrefix: prefix });
    const fleet = await watchUntil(cache, ({ processes }) => processes.length === 2);
    const pids = fleet.processes.map(({ host }) => Number(host.split(":").at(-1)));
    expect(new Set(pids)).toEqual(new Set([one.pid, other.pid]));
    other.kill("SIGKILL");
    await watchUntil(cache, ({ processes }) => processes.length === 1);
    // The watcher is gone without a word.
    const { port } = new URL(location);
    const keys = (): Promise<unknown> => command(Number(port), ["KEYS", `${prefix}:lock:*`]);
    await until(async () => String(await keys()) === "", {
      what: "the end of both keys",
      timeoutMs: 20_000,
      everyMs: 200,
    });
  }, 60_000);

  it("report as an ACL user with the rules of docs/servers.md; without them each is shown alone, and says nothing of it", async () => {
    await using server = await startValkey();
    const client = ["+client|setinfo", "+info", "+get", "+set", "+ping", `~${prefix}:1:*`];
    const rules = { app: ["+exists", "+hdel", "+hgetall", "+hset", "+pexpire", `~${prefix}:lock:*`], strict: [] };
    const open = async (user: keyof typeof rules): Promise<Cache> => {
      await command(server.port, ["ACL", "SETUSER", user, "on", ">password", ...client, ...rules[user]]);
      const cache = openCache({ location: server.url.replace("//", `//${user}:password@`), keyPrefix: prefix });
      reportStatistics(cache);
      const timer = setInterval(() => void cache.get("a").catch(() => {}), 100);
      onTestFinished(() => clearInterval(timer));
      return cache;
    };
    const allowed = await open("app");
    await watchUntil(allowed, ({ processes }) => processes.length === 1);
    const strict = await open("strict");
    const base = `${await serveInspector({ cache: strict })}/cache`;
    const { processId } = (await (await fetch(`${base}/api/info`)).json()) as Info;
    await using live = await watchLive(base);
    expect((await live.next())?.fleet?.processes).toMatchObject([{ id: processId, breaker: "closed" }]);
  }, 30_000);

  it("share one slot of a cluster", async () => {
    await using cluster = await startCluster();
    const reporter = openCache({ location: cluster.url, keyPrefix: prefix });
    reportStatistics(reporter);
    const timer = setInterval(() => void reporter.get("a").catch(() => {}), 100);
    onTestFinished(() => clearInterval(timer));
    const fleet = await watchUntil(
      openCache({ location: cluster.url, keyPrefix: prefix }),
      (seen) => seen.now.calls > 0,
    );
    expect(fleet.processes).toHaveLength(1);
    const [watchedKey, summaries] = ["watched", "processes"].map(
      (name) => `${prefix}:lock:{valkey-edge-cache}:${name}`,
    );
    expect(slotOf(watchedKey ?? "")).toBe(slotOf(summaries ?? ""));
  }, 60_000);

  it("report over HTTP, where that is the transport", async () => {
    const { port } = new URL(inject("valkeyUrl"));
    await using server = await startRestServer({ port: Number(port) });
    const connectionFactory = rest({ token: server.token });
    const reporter = openCache({ location: server.url, connectionFactory, keyPrefix: prefix });
    reportStatistics(reporter);
    const timer = setInterval(() => void reporter.get("a").catch(() => {}), 100);
    onTestFinished(() => clearInterval(timer));
    const watcher = openCache({ location: server.url, connectionFactory, keyPrefix: prefix });
    expect((await watchUntil(watcher, (seen) => seen.now.calls > 0)).processes).toHaveLength(1);
  }, 30_000);
});
