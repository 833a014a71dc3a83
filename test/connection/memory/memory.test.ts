import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { memory } from "../../../src/api/memory.js";
import type { Connection, Reply, Script } from "../../../src/core/connection.js";
import { PROCESS } from "../../../src/core/connection.js";
import { ConfigurationError, ReplyError } from "../../../src/core/errors.js";
import { parseLocation } from "../../../src/core/location.js";
import { systemClock } from "../../../src/core/time.js";

const TEXT = { readOnly: true, text: true } as const;
const connect = (location = "memory:", factory = memory()): Connection =>
  factory.connect(parseLocation(location), PROCESS);

describe("memory()", () => {
  it("shares a store among its connections, one for each name, and none with other factories", async () => {
    const factory = memory();
    await connect("memory:", factory).send([["SET", "key", "unnamed"]]);
    await connect("memory:shop", factory).send([["SET", "key", "shop"]]);
    expect(await connect("memory:", factory).send([["GET", "key"]], TEXT)).toEqual(["unnamed"]);
    expect(await connect("memory:shop", factory).send([["GET", "key"]], TEXT)).toEqual(["shop"]);
    expect(await connect("memory:shop").send([["GET", "key"]], TEXT)).toEqual([null]);
  });

  it("keeps its entries when all connections are closed", async () => {
    const factory = memory();
    {
      await using connection = connect("memory:", factory);
      await connection.send([["SET", "key", "1"]]);
    }
    expect(await connect("memory:", factory).send([["GET", "key"]], TEXT)).toEqual(["1"]);
  });

  it("refuses a server's location, and names the factory for it", () => {
    const refusal = () => connect("valkey://:secret@localhost:6379");
    expect(refusal).toThrow(ConfigurationError);
    expect(refusal).toThrow(/valkey:\/\/localhost:6379 .*"memory:".*glide\(\)/);
    expect(refusal).not.toThrow(/secret/);
  });

  it.each([
    [{ maxSize: 0 }, /"maxSize" is 0; give a whole number above 0/],
    [{ maxSize: 1.5 }, /"maxSize" is 1.5/],
    [{ maxSize: "64MB" }, /"maxSize" is "64MB"/],
    [{ maxEntries: -1 }, /"maxEntries" is -1; give a whole number above 0/],
    [{ clock: {} }, /"clock" is an object; give a clock .*now\(\), random\(\), sleep\(\)/],
    [{ maxsize: 5 }, /unknown option "maxsize"; known options are: maxSize, maxEntries, clock/],
  ])("refuses the options %j, naming what is wrong", (options, message) => {
    expect(() => memory(options as never)).toThrow(ConfigurationError);
    expect(() => memory(options as never)).toThrow(message);
  });
});

describe("a memory connection", () => {
  it("copies bytes when it stores and when it returns them", async () => {
    const connection = connect();
    const [value, member] = [Uint8Array.of(0xff, 1), Buffer.from([0xff, 2])];
    await connection.send([
      ["SET", "a", value],
      ["SADD", "set", member],
      ["HSET", "hash", "field", value],
    ]);
    value.fill(0);
    member.fill(0);
    const read = () =>
      connection.send([
        ["GET", "a"],
        ["SMEMBERS", "set"],
        ["HGETALL", "hash"],
      ]);
    const expected = [Uint8Array.of(0xff, 1), [Uint8Array.of(0xff, 2)]];
    for (let round = 0; round < 2; round++) {
      const [first, members, fields] = await read();
      expect([first, members]).toEqual(expected);
      expect(fields).toEqual([[new TextEncoder().encode("field"), Uint8Array.of(0xff, 1)]]);
      for (const bytes of [first, members, fields].flat(2)) if (bytes instanceof Uint8Array) bytes.fill(9);
    }
  });

  it("returns plain Uint8Arrays, even for values given as a Buffer", async () => {
    const [, reply] = await connect().send([
      ["SET", "a", Buffer.from("x")],
      ["GET", "a"],
    ]);
    expect(Object.getPrototypeOf(reply)).toBe(Uint8Array.prototype);
  });

  it("returns strings for valid UTF-8 when text is requested", async () => {
    const connection = connect();
    await connection.send([
      ["MSET", "text", "é", "bytes", new TextEncoder().encode("é"), "binary", Uint8Array.of(0xe9)],
    ]);
    for (let round = 0; round < 2; round++) {
      const [values] = await connection.send([["MGET", "text", "bytes", "binary"]], TEXT);
      expect(values).toEqual(["é", "é", Uint8Array.of(0xe9)]);
    }
    const [values] = await connection.send([["MGET", "text", "bytes"]]);
    expect(values).toEqual([Uint8Array.of(0xc3, 0xa9), Uint8Array.of(0xc3, 0xa9)]);
  });

  it("converts a lone surrogate to its UTF-8 replacement in values, keys and members", async () => {
    const connection = connect();
    const replies = await connection.send(
      [
        ["SET", "\ud800", "\udc00"],
        ["GET", "\ufffd"],
        ["SADD", "s", "\ud800", "\ufffd"],
      ],
      TEXT,
    );
    expect(replies).toEqual(["OK", "\ufffd", 1]);
  });

  it("has exactly the commands that docs/decisions/memory-transport.md lists", async () => {
    const [reply] = await connect().send([["LPUSH", "a", "1"]]);
    const supported = String(reply).match(/\b[A-Z]{3,}\b/g) ?? [];
    const page = readFileSync(new URL("../../../docs/decisions/memory-transport.md", import.meta.url), "utf8");
    const section = /## Decision\n(.*?)\n## /s.exec(page)?.[1] ?? "";
    const listed = Array.from(section.matchAll(/`([A-Z]{3,})`/g), ([, name]) => name);
    expect(listed.toSorted()).toEqual(supported.filter((word) => !["ERR", "LPUSH"].includes(word)).toSorted());
  });

  it("says which commands it supports", async () => {
    const [reply] = await connect().send([["LPUSH", "a", "1"]]);
    expect(reply).toBeInstanceOf(ReplyError);
    expect(reply).toMatchObject({
      code: "ERR",
      detail: /^unknown command 'LPUSH'; the memory transport supports GET, SET, /,
    });
  });

  it("names the command that can't be queued as the cause of EXECABORT", async () => {
    const sent = connect().send([["PING"], ["LPUSH", "a", "1"]], { atomic: true });
    await expect(sent).rejects.toMatchObject({ code: "EXECABORT", cause: { detail: /LPUSH/ } });
  });

  it("runs a batch before send returns, once it is loaded", async () => {
    const connection = connect();
    await connection.send([["PING"]]);
    const seen: Reply[] = [];
    const twin: Script["twin"] = (call) => seen.push(call("EXISTS", "a"));
    void connection.send([["SET", "a", "1"]]);
    void connection.script({ name: "look", lua: "", twin }, [], []);
    expect(seen).toEqual([1]);
  });

  it("draws random members uniformly, with its clock's randomness", async () => {
    let draws = 0;
    const factory = memory({ clock: { ...systemClock, random: () => (draws++ % 4) / 4 } });
    const connection = connect("memory:", factory);
    await connection.send([["SADD", "set", "a", "b", "c", "d"]]);
    const drawn = await connection.send(
      Array.from({ length: 8 }, () => ["SRANDMEMBER", "set"] as const),
      TEXT,
    );
    expect(drawn).toEqual(["a", "b", "c", "d", "a", "b", "c", "d"]);
    const [many, some, popped] = await connection.send(
      [
        ["SRANDMEMBER", "set", "-9"],
        ["SRANDMEMBER", "set", "3"],
        ["SPOP", "set", "2"],
      ],
      TEXT,
    );
    expect(many).toHaveLength(9);
    expect(new Set(some as string[]).size).toBe(3);
    expect(
      await connection.send([
        ["SCARD", "set"],
        ["SMISMEMBER", "set", ...(popped as string[])],
      ]),
    ).toEqual([2, [0, 0]]);
  });

  it("refuses a scan with a count below 1", async () => {
    const scan = async () => {
      for await (const _ of connect().scan({ match: "*", count: 0 }));
    };
    await expect(scan()).rejects.toThrow(/ERR syntax error/);
  });

  it("yields batches no larger than the count, each key once", async () => {
    const connection = connect();
    await connection.send(Array.from({ length: 25 }, (_, index) => ["SET", `key ${index}`, "1"] as const));
    const sizes: number[] = [];
    for await (const batch of connection.scan({ match: "*", count: 10 })) sizes.push(batch.length);
    expect(sizes).toEqual([10, 10, 5]);
  });
});
