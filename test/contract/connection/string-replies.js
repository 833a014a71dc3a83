import { describe, expect } from "vitest";
import { a, answers, b, between, bulk, c, refused } from "./rows.js";
export function stringReplies(subject) {
    describe("string commands", () => {
        answers(subject, "GET answers bytes, or null for a missing key", [
            [["GET", a], null],
            [["SET", a, "text"], "OK"],
            [["GET", a], bulk("text")],
            [["get", a], bulk("text")],
            [["SET", a, ""], "OK"],
            [["GET", a], bulk("")],
            [["GET"], refused("ERR")],
            [["GET", a, b], refused("ERR")],
        ]);
        answers(subject, "SET answers null when NX or XX is not met", [
            [["SET", a, "1", "XX"], null],
            [["SET", a, "1", "NX"], "OK"],
            [["SET", a, "2", "NX"], null],
            [["SET", a, "3", "XX"], "OK"],
            [["GET", a], bulk("3")],
            [["SET", a, "4", "NX", "XX"], refused("ERR")],
            [["SET", a, "4", "WHATEVER"], refused("ERR")],
            [["SETNX", a, "5"], 0],
            [["SETNX", b, "5"], 1],
        ]);
        answers(subject, "SET GET answers what was there before, also when NX or XX is not met", [
            [["SET", a, "1", "NX", "GET", "PX", "60000"], null],
            [["PTTL", a], between(1, 60_000)],
            [["SET", a, "2", "NX", "GET", "PX", "60000"], bulk("1")],
            [["GET", a], bulk("1")],
            [["SET", a, "3", "GET"], bulk("1")],
            [["TTL", a], -1],
            [["SET", b, "1", "XX", "GET"], null],
            [["EXISTS", b], 0],
            [["SADD", b, "member"], 1],
            [["SET", b, "1", "GET"], refused("WRONGTYPE")],
            [["TYPE", b], "set"],
        ]);
        answers(subject, "SET takes a lifetime in each of its forms, keeps the old one, or drops it", [
            [["SET", a, "1", "EX", "60"], "OK"],
            [["TTL", a], between(59, 60)],
            [["SET", a, "2", "KEEPTTL"], "OK"],
            [["TTL", a], between(59, 60)],
            [["SET", a, "3", "PX", "90000"], "OK"],
            [["PTTL", a], between(80_000, 90_000)],
            [["SET", a, "4", "EXAT", "99999999999"], "OK"],
            [["EXPIRETIME", a], 99_999_999_999],
            [["SET", a, "5", "PXAT", "99999999999999"], "OK"],
            [["PEXPIRETIME", a], 99_999_999_999_999],
            [["SET", a, "6"], "OK"],
            [["TTL", a], -1],
            [["SET", a, "7", "PXAT", "1"], "OK"],
            [["EXISTS", a], 0],
        ]);
        answers(subject, "SET refuses a lifetime that is none", [
            [["SET", a, "1", "PX", "0"], refused("ERR")],
            [["SET", a, "1", "PX", "-1"], refused("ERR")],
            [["SET", a, "1", "PX", "1.5"], refused("ERR")],
            [["SET", a, "1", "PX", "9223372036854775807"], refused("ERR")],
            [["SET", a, "1", "PX"], refused("ERR")],
            [["SET", a, "1", "PX", "1", "EX", "1"], refused("ERR")],
            [["SET", a, "1", "PX", "1", "KEEPTTL"], refused("ERR")],
            [["EXISTS", a], 0],
        ]);
        answers(subject, "GETDEL and GETEX answer as GET does, and do the rest as well", [
            [["GETDEL", a], null],
            [["GETEX", a, "EX", "60"], null],
            [["SET", a, "x"], "OK"],
            [["GETEX", a, "EX", "60"], bulk("x")],
            [["TTL", a], between(59, 60)],
            [["GETEX", a], bulk("x")],
            [["TTL", a], between(59, 60)],
            [["GETEX", a, "PERSIST"], bulk("x")],
            [["TTL", a], -1],
            [["GETDEL", a], bulk("x")],
            [["EXISTS", a], 0],
        ]);
        answers(subject, "MGET answers in the order of the keys, with null for what is missing or no string", [
            [["SADD", c, "member"], 1],
            [["MSET", a, "1", b, "2"], "OK"],
            [
                ["MGET", b, "{slot}missing", c, a, b],
                [bulk("2"), null, null, bulk("1"), bulk("2")],
            ],
            [["MSETNX", "{slot}d", "1", a, "3"], 0],
            [["EXISTS", "{slot}d"], 0],
            [["MSETNX", "{slot}d", "1", "{slot}e", "2"], 1],
            [["MSET", a, "1", b], refused("ERR")],
        ]);
        answers(subject, "STRLEN, APPEND, GETRANGE and SETRANGE count bytes", [
            [["STRLEN", a], 0],
            [["APPEND", a, "é"], 2],
            [["APPEND", a, "tude"], 6],
            [["STRLEN", a], 6],
            [["GETRANGE", a, "2", "-1"], bulk("tude")],
            [["GETRANGE", a, "0", "0"], bulk([0xc3])],
            [["GETRANGE", a, "9", "10"], bulk("")],
            [["SETRANGE", a, "8", "s"], 9],
            [["GET", a], bulk("étude\0\0s")],
            [["SETRANGE", a, "-1", "s"], refused("ERR")],
            [["SETRANGE", b, "1", ""], 0],
            [["EXISTS", b], 0],
        ]);
        answers(subject, "counters are exact 64-bit integers, and refuse all else", [
            [["INCR", a], 1],
            [["INCRBY", a, "41"], 42],
            [["DECR", a], 41],
            [["DECRBY", a, "50"], -9],
            [["GET", a], bulk("-9")],
            [["SET", a, "9007199254740993"], "OK"],
            [["INCRBY", a, "2"], expect.any(Number)],
            [["GET", a], bulk("9007199254740995")],
            [["SET", a, "9223372036854775807", "EX", "60"], "OK"],
            [["INCR", a], refused("ERR")],
            [["GET", a], bulk("9223372036854775807")],
            [["SET", b, "1.5"], "OK"],
            [["INCR", b], refused("ERR")],
            [["INCRBY", b, "x"], refused("ERR")],
            [["SET", c, "1", "EX", "60"], "OK"],
            [["INCR", c], 2],
            [["TTL", c], between(59, 60)],
        ]);
    });
}
