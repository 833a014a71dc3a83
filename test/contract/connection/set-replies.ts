import { describe, expect, it } from "vitest";
import type { Reply } from "../../../src/core/connection.js";
import type { ConnectionSubject } from "../connection.js";
import { a, answers, b, bulk, c, refused } from "./rows.js";

export function setReplies(subject: () => ConnectionSubject): void {
  describe("set commands", () => {
    answers(subject, "SADD and SREM answer how many members they added or removed", [
      [["SADD", a, "x", "y", "x"], 2],
      [["SADD", a, "y", "z"], 1],
      [["SCARD", a], 3],
      [["SREM", a, "x", "missing"], 1],
      [["SREM", a, "y", "z"], 2],
      [["EXISTS", a], 0],
      [["SREM", a, "y"], 0],
      [["SCARD", a], 0],
    ]);

    answers(subject, "SISMEMBER answers 1 or 0, SMISMEMBER one of them for each member", [
      [["SADD", a, "x", "y"], 2],
      [["SISMEMBER", a, "x"], 1],
      [["SISMEMBER", a, "missing"], 0],
      [["SISMEMBER", b, "x"], 0],
      [
        ["SMISMEMBER", a, "missing", "y", "x"],
        [0, 1, 1],
      ],
      [["SMISMEMBER", b, "x"], [0]],
    ]);

    answers(subject, "SMEMBERS, SDIFF, SINTER and SUNION answer arrays", [
      [["SADD", a, "1", "x", "y"], 3],
      [["SADD", b, "x", "z"], 2],
      [
        ["SMEMBERS", a],
        [bulk("1"), bulk("x"), bulk("y")],
      ],
      [["SMEMBERS", c], []],
      [
        ["SDIFF", a, b],
        [bulk("1"), bulk("y")],
      ],
      [["SINTER", a, b], [bulk("x")]],
      [["SINTER", a, b, c], []],
      [
        ["SUNION", a, b, c],
        [bulk("1"), bulk("x"), bulk("y"), bulk("z")],
      ],
    ]);

    answers(subject, "SDIFFSTORE, SINTERSTORE and SUNIONSTORE answer how many members were stored", [
      [["SADD", a, "x", "y"], 2],
      [["SADD", b, "x", "z"], 2],
      [["SDIFFSTORE", c, a, b], 1],
      [["SMEMBERS", c], [bulk("y")]],
      [["SUNIONSTORE", c, a, b], 3],
      [["SINTERSTORE", a, a, b], 1],
      [["SMEMBERS", a], [bulk("x")]],
      [["SET", c, "text"], "OK"],
      [["SINTERSTORE", c, a, "{slot}missing"], 0],
      [["EXISTS", c], 0],
    ]);

    answers(subject, "SMOVE answers whether it moved the member", [
      [["SADD", a, "x"], 1],
      [["SMOVE", a, b, "missing"], 0],
      [["SMOVE", a, b, "x"], 1],
      [["SMEMBERS", b], [bulk("x")]],
      [["EXISTS", a], 0],
      [["SMOVE", a, b, "x"], 0],
    ]);

    answers(subject, "SPOP and SRANDMEMBER answer one member, or an array where a count is given", [
      [["SPOP", a], null],
      [["SPOP", a, "2"], []],
      [["SRANDMEMBER", a], null],
      [["SRANDMEMBER", a, "2"], []],
      [["SADD", a, "x"], 1],
      [["SRANDMEMBER", a], bulk("x")],
      [["SRANDMEMBER", a, "5"], [bulk("x")]],
      [
        ["SRANDMEMBER", a, "-3"],
        [bulk("x"), bulk("x"), bulk("x")],
      ],
      [["SPOP", a], bulk("x")],
      [["SADD", a, "x", "y"], 2],
      [
        ["SPOP", a, "5"],
        [bulk("x"), bulk("y")],
      ],
      [["EXISTS", a], 0],
      [["SPOP", a, "-1"], refused("ERR")],
    ]);

    it("SSCAN replies with a cursor and members, and finds all members in the end", async () => {
      const { connection } = subject();
      const members = Array.from({ length: 1_500 }, (_, index) => `member ${index}`);
      await connection.send([["SADD", a, ...members]]);
      const found = new Set<string>();
      let cursor = "0";
      do {
        const [reply] = await connection.send([["SSCAN", a, cursor, "COUNT", "100"]]);
        const [next, some] = reply as [Uint8Array, Uint8Array[]];
        for (const member of some) found.add(Buffer.from(member).toString());
        cursor = Buffer.from(next).toString();
      } while (cursor !== "0");
      expect(found).toEqual(new Set(members));
    });

    answers(subject, "SSCAN takes a pattern", [
      [
        ["SSCAN", a, "0"],
        [bulk("0"), []],
      ],
      [["SADD", a, "red", "green", "r[d"], 3],
      [["SSCAN", a, "0", "MATCH", "r?d", "COUNT", "10"], expect.toSatisfy(isScanOf("red", "r[d"))],
      [
        ["SSCAN", a, "0", "MATCH", "r\\[d"],
        [bulk("0"), [bulk("r[d")]],
      ],
      [["SSCAN", a, "x"], refused("ERR")],
      [["SSCAN", a, "0", "COUNT", "0"], refused("ERR")],
    ]);
  });
}

function isScanOf(...members: string[]): (reply: Reply) => boolean {
  const wanted = JSON.stringify(
    members
      .map(bulk)
      .map((one) => one.bulk)
      .sort(),
  );
  return (reply) => {
    const [cursor, found] = reply as unknown as [{ bulk: string }, { bulk: string }[]];
    return cursor.bulk === "0" && JSON.stringify(found.map((one) => one.bulk).sort()) === wanted;
  };
}
