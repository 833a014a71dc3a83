import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { memory } from "../../../src/api/memory.js";
import type { Command, Script } from "../../../src/core/connection.js";
import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";
import { systemClock } from "../../../src/core/time.js";

const connect = (options = {}) => memory(options).connect(parseLocation("memory:"), PROCESS);

describe("lifetimes in memory", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_700_000_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("follow fake timers", async () => {
    const connection = connect();
    await connection.send([["SET", "a", "1", "EX", "10"]]);
    vi.advanceTimersByTime(9_400);
    expect(
      await connection.send([
        ["TTL", "a"],
        ["PTTL", "a"],
        ["EXISTS", "a"],
      ]),
    ).toEqual([1, 600, 1]);
    vi.advanceTimersByTime(601);
    expect(
      await connection.send([
        ["GET", "a"],
        ["TTL", "a"],
        ["EXISTS", "a"],
      ]),
    ).toEqual([null, -2, 0]);
  });

  it("end after the last millisecond, as on a server", async () => {
    const connection = connect();
    await connection.send([["SET", "a", "1", "PX", "5"]]);
    vi.advanceTimersByTime(5);
    expect(await connection.send([["PTTL", "a"]])).toEqual([0]);
    vi.advanceTimersByTime(1);
    expect(await connection.send([["PTTL", "a"]])).toEqual([-2]);
  });

  it("start no timer", async () => {
    await connect().send([
      ["SET", "a", "1", "PX", "5"],
      ["EXPIRE", "a", "100"],
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    [["SET", "a", "2", "NX"], "OK"],
    [["SET", "a", "2", "XX"], null],
    [["SET", "a", "2", "GET"], null],
    [["INCR", "a"], 1],
    [["DEL", "a"], 0],
    [["MGET", "a"], [null]],
    [["DBSIZE"], 0],
    [["SADD", "a", "member"], 1],
    [["RENAMENX", "b", "a"], { code: "ERR" }],
    [["COPY", "a", "b"], 0],
    [["PERSIST", "a"], 0],
    [["TYPE", "a"], "none"],
  ] as [Command, unknown][])("once over, leave nothing for %j to find", async (command, reply) => {
    const connection = connect();
    await connection.send([["SET", "a", "7", "PX", "5"]]);
    vi.advanceTimersByTime(6);
    const [seen] = await connection.send([command]);
    if (typeof reply === "object" && reply !== null && !Array.isArray(reply)) expect(seen).toMatchObject(reply);
    else expect(seen).toEqual(reply);
  });

  it("that end during a scan exclude their keys from it", async () => {
    const connection = connect();
    await connection.send([
      ["SET", "long", "1"],
      ["SET", "short", "1", "PX", "5"],
    ]);
    const seen: string[] = [];
    for await (const batch of connection.scan({ match: "*", count: 1 })) {
      if (seen.length === 0) vi.advanceTimersByTime(6);
      seen.push(...batch);
    }
    expect(seen.filter((key) => key === "long")).toHaveLength(1);
    expect(await connection.send([["DBSIZE"]])).toEqual([1]);
  });

  it("follow the clock option", async () => {
    let nowMs = 5_000;
    const connection = connect({ clock: { ...systemClock, now: () => nowMs } });
    await connection.send([["SET", "a", "1", "EX", "1"]]);
    expect(await connection.send([["PEXPIRETIME", "a"], ["TIME"]], { text: true, readOnly: true })).toEqual([
      6_000,
      ["5", "0"],
    ]);
    nowMs = 6_001;
    expect(await connection.send([["GET", "a"]])).toEqual([null]);
  });

  it("do not advance within a batch or a script", async () => {
    let nowMs = 0;
    const connection = connect({ clock: { ...systemClock, now: () => ++nowMs } });
    const [, first, second] = await connection.send([
      ["SET", "a", "1", "PX", "1000"],
      ["PTTL", "a"],
      ["PTTL", "a"],
    ]);
    expect([first, second]).toEqual([1_000, 1_000]);
    const script: Script = { name: "twice", lua: "", twin: (call) => [call("PTTL", "a"), call("PTTL", "a")] };
    expect(await connection.script(script, ["a"], [])).toEqual([999, 999]);
  });
});
