import { describe, expect, it } from "vitest";
import { memory } from "../../../src/api/memory.js";
import type { MemoryOptions } from "../../../src/connection/memory/factory.js";
import type { Command, Reply } from "../../../src/core/connection.js";
import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";

const TEXT = { readOnly: true, text: true } as const;

function sender(options: MemoryOptions): (...commands: Command[]) => Promise<Reply[]> {
  const connection = memory(options).connect(parseLocation("memory:"), PROCESS);
  return (...commands) => connection.send(commands, TEXT);
}

describe("a full memory transport", () => {
  it("evicts the least recently used entry, counting reads as use", async () => {
    const send = sender({ maxEntries: 3 });
    await send(["SET", "a", "1"], ["SET", "b", "1"], ["SET", "c", "1"], ["GET", "a"], ["SET", "d", "1"]);
    expect(await send(["MGET", "a", "b", "c", "d"])).toEqual([["1", null, "1", "1"]]);
  });

  it("does not count EXISTS, TTL and scans as use, like a server", async () => {
    const connection = memory({ maxEntries: 2 }).connect(parseLocation("memory:"), PROCESS);
    await connection.send([["MSET", "a", "1", "b", "1"]]);
    await connection.send([
      ["EXISTS", "a"],
      ["TTL", "a"],
      ["TYPE", "a"],
    ]);
    for await (const _ of connection.scan({ match: "*", count: 10 }));
    await connection.send([["SET", "c", "1"]]);
    expect(
      await connection.send([
        ["EXISTS", "a"],
        ["EXISTS", "b"],
        ["EXISTS", "c"],
      ]),
    ).toEqual([0, 1, 1]);
  });

  it("holds up to maxSize bytes, whatever the number of entries", async () => {
    const send = sender({ maxSize: 100_000 });
    for (let index = 0; index < 1_000; index++) await send(["SET", `key ${index}`, "x".repeat(1_000)]);
    const [kept] = await send(["DBSIZE"]);
    expect(kept).toBeGreaterThan(70);
    expect(kept).toBeLessThan(100);
    expect(await send(["EXISTS", "key 999"], ["EXISTS", "key 0"])).toEqual([1, 0]);
  });

  it("counts UTF-8 bytes, not characters", async () => {
    const send = sender({ maxSize: 10_000 });
    expect(await send(["SET", "a", "€".repeat(3_000)])).toEqual(["OK"]);
    const [reply] = await send(["SET", "a", "€".repeat(3_400)]);
    expect(reply).toMatchObject({ code: "OOM" });
  });

  it("counts a set and a hash as they grow and shrink", async () => {
    const send = sender({ maxSize: 19_500 });
    await send(["SET", "other", "1"]);
    for (let index = 0; index < 500; index++) {
      await send(["SADD", "set", `member ${index}`], ["SREM", "set", `member ${index - 1}`]);
      await send(["HSET", "hash", `field ${index}`, "x".repeat(100)], ["HDEL", "hash", `field ${index - 1}`]);
    }
    expect(await send(["EXISTS", "other", "set", "hash"])).toEqual([3]);
    for (let index = 0; index < 200; index++) await send(["SADD", "set", `member ${index} ${"x".repeat(40)}`]);
    expect(await send(["EXISTS", "other"], ["SCARD", "set"])).toEqual([0, 201]);
  });
});

describe("an entry that would not fit even alone", () => {
  const large = "x".repeat(2_000);
  const first: Command[] = [
    ["SET", "text", "old"],
    ["SADD", "set", "member"],
    ["HSET", "hash", "field", "old"],
    ["SET", "neighbour", "here"],
  ];

  it.each([
    ["SET", "text", large],
    ["APPEND", "text", large],
    ["SETRANGE", "text", "100000000", "x"],
    ["MSET", "new", "1", "text", large],
    ["MSETNX", "new", "1", "newer", large],
    ["SADD", "set", "new", large],
    ["HSET", "hash", "new", "1", "field", large],
    ["RENAME", "set", large],
    ["COPY", "set", large],
  ] as Command[])("%s %s is refused as OOM, and nothing is lost", async (name, ...args) => {
    const send = sender({ maxSize: 1_500 });
    await send(...first);
    const keys = ["text", "set", "hash", "neighbour"];
    const [refusal] = await send([String(name), ...args]);
    expect(refusal).toMatchObject({ code: "OOM" });
    expect(await send(["EXISTS", ...keys, "new"], ["DBSIZE"], ["GET", "text"])).toEqual([4, 4, "old"]);
    expect(await send(["SMEMBERS", "set"], ["HGETALL", "hash"])).toEqual([["member"], [["field", "old"]]]);
  });

  it("is refused with the sizes and the remedy", async () => {
    const [refusal] = await sender({ maxSize: 1_000 })(["SET", "key", large]);
    expect(String(refusal)).toMatch(/OOM an entry of 2243 bytes .* 1000 bytes; give memory\(\) a larger maxSize/);
  });

  it("is refused before it is allocated", async () => {
    const [refusal, tooLong] = await sender({})(
      ["SETRANGE", "a", "400000000", "x"],
      ["SETRANGE", "a", "4000000000", "x"],
    );
    expect(refusal).toMatchObject({ code: "OOM" });
    expect(tooLong).toMatchObject({ code: "ERR" });
  });
});
