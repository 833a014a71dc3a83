import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command } from "../../support/command.js";
import { build } from "../../support/project.js";
import { startValkey, type ValkeyServer } from "../../support/servers.js";
import { followAll, HerdProcess } from "./processes.js";

const PROCESSES = 8;
const LEASE_S = 1;
/** What a takeover may take beyond the lease: the longest pause between two polls, and a busy machine. */
const SLACK_MS = 1_000;

let server: ValkeyServer;
const processes: HerdProcess[] = [];

beforeAll(async () => {
  await build();
  server = await startValkey();
  const url = server.url;
  processes.push(...(await Promise.all(Array.from({ length: PROCESSES }, () => HerdProcess.start({ url })))));
}, 120_000);

afterAll(async () => {
  await Promise.all(processes.map((one) => one[Symbol.asyncDispose]()));
  await server.stop();
});

describe(`${PROCESSES} processes`, () => {
  it("of 50 callers each run a cold loader once, time and again", async () => {
    for (let i = 0; i < 10; i++) {
      const seen = await followAll(processes, { key: `cold ${i}`, callers: 50 });
      expect({ i, loads: seen.loads, values: seen.values.length }).toEqual({ i, loads: 1, values: 1 });
    }
  }, 60_000);

  it("that ask again and again for what expires each second never wait, and run the loader once for each expiry", async () => {
    const orders = { key: "expiring", ttl: 1 };
    expect((await followAll(processes, orders)).loads).toBe(1);
    const seen = await followAll(processes, { ...orders, callers: 5, forMs: 5_000 });
    expect(seen.waits).toBe(0);
    expect(seen.loads).toBeGreaterThanOrEqual(3);
    expect(seen.loads).toBeLessThanOrEqual(5);
  }, 30_000);

  it("with 25 connections each run a cold loader once, too", async () => {
    const own = await Promise.all(processes.map(() => HerdProcess.start({ url: server.url, connections: 25 })));
    try {
      const clients = String(await command(server.port, ["INFO", "clients"]));
      expect(Number(/connected_clients:(\d+)/.exec(clients)?.[1])).toBeGreaterThanOrEqual(200);
      for (let i = 0; i < 3; i++) {
        const seen = await followAll(own, { key: `two hundred ${i}` });
        expect({ i, loads: seen.loads, values: seen.values.length }).toEqual({ i, loads: 1, values: 1 });
      }
    } finally {
      await Promise.all(own.map((one) => one[Symbol.asyncDispose]()));
    }
  }, 60_000);
});

describe("a process that loads", () => {
  it("and is killed is replaced within a lease's time", async () => {
    const key = "killed";
    await using dying = await HerdProcess.start({ url: server.url, lease: LEASE_S });
    const lost = dying.follow({ key, loadMs: 60_000 }).catch(() => "gone");
    await dying.loading(key);
    const others = followAll(processes, { key, callers: 5, loadMs: 0 });
    dying.signal("SIGKILL");
    expect(await lost).toBe("gone");
    const seen = await others;
    expect(seen.loads).toBe(1);
    expect(seen.values).toHaveLength(1);
    expect(seen.longestMs).toBeLessThan(LEASE_S * 1_000 + SLACK_MS);
  }, 30_000);

  it("and freezes is replaced within a lease's time; what it has when it thaws is not stored", async () => {
    const key = "frozen";
    await using freezing = await HerdProcess.start({ url: server.url, lease: LEASE_S });
    const late = freezing.follow({ key, loadMs: 200 });
    await freezing.loading(key);
    freezing.signal("SIGSTOP");
    const seen = await followAll(processes, { key, callers: 5, loadMs: 0 });
    expect(seen.loads).toBe(1);
    expect(seen.longestMs).toBeLessThan(LEASE_S * 1_000 + SLACK_MS);
    freezing.signal("SIGCONT");
    const thawed = await late;
    expect(thawed.fenced).toBe(1);
    expect(thawed.values).not.toEqual(seen.values);
    const left = await followAll(processes, { key });
    expect(left).toMatchObject({ loads: 0, values: seen.values });
  }, 30_000);
});
