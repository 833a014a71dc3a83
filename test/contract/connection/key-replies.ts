import { describe, expect, it } from "vitest";
import { until } from "../../support/wait.js";
import type { ConnectionSubject } from "../connection.js";
import { a, answers, b, between, bulk, c, plain, refused } from "./rows.js";

export function keyReplies(subject: () => ConnectionSubject): void {
  describe("key commands", () => {
    answers(subject, "DEL, UNLINK, EXISTS and TOUCH answer how many keys there were", [
      [["MSET", a, "1", b, "2", c, "3"], "OK"],
      [["EXISTS", a, a, "{slot}missing"], 2],
      [["TOUCH", a, b, "{slot}missing"], 2],
      [["DEL", a, a, "{slot}missing"], 1],
      [["UNLINK", b, c], 2],
      [["UNLINK", b, c], 0],
      [["DEL"], refused("ERR")],
    ]);

    answers(subject, "TYPE answers a word", [
      [["SET", a, "1"], "OK"],
      [["SADD", b, "1"], 1],
      [["HSET", c, "field", "1"], 1],
      [["TYPE", a], "string"],
      [["TYPE", b], "set"],
      [["TYPE", c], "hash"],
      [["TYPE", "{slot}missing"], "none"],
    ]);

    answers(subject, "TTL and its kin answer -2 for a missing key, and -1 for one that never expires", [
      [["SET", a, "1"], "OK"],
      [["TTL", a], -1],
      [["PTTL", a], -1],
      [["EXPIRETIME", a], -1],
      [["PEXPIRETIME", a], -1],
      [["TTL", b], -2],
      [["PTTL", b], -2],
      [["EXPIRETIME", b], -2],
      [["PEXPIRETIME", b], -2],
    ]);

    answers(subject, "EXPIRE and its kin answer whether they did it", [
      [["EXPIRE", a, "60"], 0],
      [["SET", a, "1"], "OK"],
      [["EXPIRE", a, "60"], 1],
      [["TTL", a], between(59, 60)],
      [["PEXPIRE", a, "90000"], 1],
      [["PTTL", a], between(80_000, 90_000)],
      [["EXPIREAT", a, "99999999999"], 1],
      [["EXPIRETIME", a], 99_999_999_999],
      [["PEXPIREAT", a, "99999999999999"], 1],
      [["PEXPIRETIME", a], 99_999_999_999_999],
      [["PERSIST", a], 1],
      [["PERSIST", a], 0],
      [["PERSIST", b], 0],
      [["EXPIRE", a, "-1"], 1],
      [["EXISTS", a], 0],
      [["EXPIRE", a, "x"], refused("ERR")],
    ]);

    answers(subject, "EXPIRE heeds NX, XX, GT and LT", [
      [["SET", a, "1"], "OK"],
      [["EXPIRE", a, "60", "XX"], 0],
      [["EXPIRE", a, "60", "GT"], 0],
      [["EXPIRE", a, "60", "NX"], 1],
      [["EXPIRE", a, "60", "NX"], 0],
      [["EXPIRE", a, "30", "GT"], 0],
      [["EXPIRE", a, "90", "LT"], 0],
      [["EXPIRE", a, "90", "XX", "GT"], 1],
      [["EXPIRE", a, "60", "LT"], 1],
      [["EXPIRE", a, "60", "NX", "XX"], refused("ERR")],
      [["EXPIRE", a, "60", "GT", "LT"], refused("ERR")],
      [["EXPIRE", a, "60", "WHATEVER"], refused("ERR")],
    ]);

    answers(subject, "RENAME, RENAMENX and COPY take the value and its lifetime along", [
      [["RENAME", a, b], refused("ERR")],
      [["SET", a, "1", "EX", "60"], "OK"],
      [["RENAME", a, b], "OK"],
      [["EXISTS", a], 0],
      [["TTL", b], between(59, 60)],
      [["SET", a, "2"], "OK"],
      [["RENAMENX", a, b], 0],
      [["RENAMENX", a, c], 1],
      [["COPY", b, c], 0],
      [["COPY", b, c, "REPLACE"], 1],
      [
        ["MGET", b, c],
        [bulk("1"), bulk("1")],
      ],
      [["TTL", c], between(59, 60)],
      [["COPY", a, c], 0],
    ]);

    it("an entry is missing after it has expired", async () => {
      const { connection } = subject();
      await connection.send([["SET", a, "1", "PX", "30"]]);
      const gone = async () => ((await connection.send([["EXISTS", a]]))[0] === 0 ? "gone" : undefined);
      await expect(until(gone, { what: "the entry to expire" })).resolves.toBe("gone");
      expect(
        await connection.send([
          ["GET", a],
          ["PTTL", a],
          ["SET", a, "2", "NX"],
        ]),
      ).toEqual([null, -2, "OK"]);
    });

    it("DBSIZE, FLUSHDB, PING, ECHO and TIME have the server's replies", async () => {
      const { connection } = subject();
      const send = async (...command: [string, ...string[]]) => plain((await connection.send([command]))[0]);
      await connection.send([["MSET", a, "1", b, "2"]]);
      expect(await send("DBSIZE")).toBe(2);
      expect(await send("FLUSHDB")).toBe("OK");
      expect(await send("DBSIZE")).toBe(0);
      expect(await send("PING")).toBe("PONG");
      expect(await send("PING", "hello")).toEqual(bulk("hello"));
      expect(await send("ECHO", "hello")).toEqual(bulk("hello"));
      const digits = { bulk: expect.stringMatching(/^\d+$/) };
      expect(await send("TIME")).toEqual([digits, digits]);
    });
  });
}
