import { describe, expect } from "vitest";
import { a, answers, b, bulk, refused } from "./rows.js";
export function hashReplies(subject) {
    describe("hash commands", () => {
        answers(subject, "HSET answers how many fields are new, HDEL how many there were", [
            [["HSET", a, "f", "1", "g", "2"], 2],
            [["HSET", a, "f", "3", "h", "4"], 1],
            [["HLEN", a], 3],
            [["HDEL", a, "f", "missing"], 1],
            [["HDEL", a, "g", "h"], 2],
            [["EXISTS", a], 0],
            [["HDEL", a, "g"], 0],
            [["HSET", a, "f"], refused("ERR")],
            [["HSET", a, "f", "1", "g"], refused("ERR")],
        ]);
        answers(subject, "HGET and HMGET answer bytes, or null for what is missing", [
            [["HGET", a, "f"], null],
            [
                ["HMGET", a, "f", "g"],
                [null, null],
            ],
            [["HSET", a, "f", "1", "g", ""], 2],
            [["HGET", a, "f"], bulk("1")],
            [["HGET", a, "missing"], null],
            [
                ["HMGET", a, "g", "missing", "f"],
                [bulk(""), null, bulk("1")],
            ],
            [["HEXISTS", a, "f"], 1],
            [["HEXISTS", a, "missing"], 0],
            [["HEXISTS", b, "f"], 0],
        ]);
        answers(subject, "HGETALL answers pairs, HKEYS and HVALS their halves", [
            [["HGETALL", a], []],
            [["HKEYS", a], []],
            [["HVALS", a], []],
            [["HSET", a, "f", "1", "g", "2"], 2],
            [
                ["HGETALL", a],
                [
                    [bulk("f"), bulk("1")],
                    [bulk("g"), bulk("2")],
                ],
            ],
            [
                ["HKEYS", a],
                [bulk("f"), bulk("g")],
            ],
            [
                ["HVALS", a],
                [bulk("1"), bulk("2")],
            ],
        ]);
        answers(subject, "HINCRBY counts in a field", [
            [["HINCRBY", a, "f", "5"], 5],
            [["HINCRBY", a, "f", "-7"], -2],
            [["HGET", a, "f"], bulk("-2")],
            [["HSET", a, "f", "x"], 0],
            [["HINCRBY", a, "f", "1"], refused("ERR")],
            [["HSET", a, "g", "9223372036854775806"], 1],
            [["HINCRBY", a, "g", "1"], expect.any(Number)],
            [["HGET", a, "g"], bulk("9223372036854775807")],
            [["HINCRBY", a, "g", "1"], refused("ERR")],
        ]);
        answers(subject, "HSCAN answers a cursor, then fields and values in turn", [
            [
                ["HSCAN", a, "0"],
                [bulk("0"), []],
            ],
            [["HSET", a, "f", "1", "other", "2"], 2],
            [
                ["HSCAN", a, "0", "MATCH", "f*", "COUNT", "10"],
                [bulk("0"), [bulk("f"), bulk("1")]],
            ],
            [
                ["HSCAN", a, "0", "MATCH", "f*", "NOVALUES"],
                [bulk("0"), [bulk("f")]],
            ],
        ]);
    });
}
