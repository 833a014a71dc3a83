import fc from "fast-check";
import type { Argument, Command } from "../../../src/core/connection.js";

/** Few, so that commands meet. */
export const KEYS = ["a", "b", "c"] as const;

const binary = Uint8Array.of(0xff, 0, 0x61);
const key = fc.constantFrom<Argument>(...KEYS, new TextEncoder().encode("a"));
const value = fc.constantFrom<Argument>(
  ...["", "0", "1", "-5", "007", "1.5", "+1", " 1", "-0", "text", "é\u{1f40e}", "\ud800", "9223372036854775807"],
  ...["-9223372036854775808", "9223372036854775808", "123456789012345678901234567890"],
  ...[binary, Uint8Array.of(0x31), new TextEncoder().encode("é"), Uint8Array.of(0xc3)],
);
const member = fc.constantFrom<Argument>("1", "x", "y", "é", binary, new TextEncoder().encode("x"));
const integer = fc.constantFrom<Argument>(
  ...["0", "1", "-1", "2", "5", "-7", "100", "x", "", "1.0", "01", "9223372036854775807", "-9223372036854775808"],
  ...["9223372036854775808", Uint8Array.of(0x32)],
);
const position = fc.constantFrom<Argument>("0", "1", "-1", "2", "-3", "9", "-9", "x", "9223372036854775807");
/** Far enough from each other and from now that both clocks see the same. */
const lifetime = fc.constantFrom<Argument>(
  ...["1000", "900000", "0", "-1", "-100", "x", "1.5", "9223372036854775", "9223372036854776", "9223372036854775807"],
  "-9223372036854775808",
);
const moment = fc.constantFrom<Argument>("1", "1000", "99999999999", "88888888888", "99999999999999", "0", "-1", "x");

const words = (...all: string[]) => fc.constantFrom<Argument>(...all, ...all.map((word) => word.toLowerCase()));
const relative = fc.tuple(words("EX", "PX"), lifetime);
const absolute = fc.tuple(words("EXAT", "PXAT"), moment);
const setOption = fc.oneof(relative, absolute, fc.tuple(words("NX", "XX", "GET", "KEEPTTL", "EX", "PERSIST")));
/** Only right amounts: servers differ in whether they look at the amount or for the key first. */
const getExOption = fc.oneof(
  fc.constantFrom(["PX", "900000"], ["EXAT", "1"], ["PXAT", "99999999999999"]),
  fc.tuple(words("PERSIST", "KEEPTTL", "NX")),
);
const scanOption = fc.oneof(
  fc.tuple(words("MATCH"), fc.constantFrom("*", "x", "[xy]", "?", "??", "\\1", "é")),
  fc.tuple(words("COUNT"), fc.constantFrom("1", "100", "0", "x")),
  fc.tuple(words("NOVALUES", "MATCH")),
);

function some<T>(one: fc.Arbitrary<T>, minLength: number, maxLength: number): fc.Arbitrary<T[]> {
  return fc.array(one, { minLength, maxLength });
}

function command(
  names: readonly string[],
  ...parts: fc.Arbitrary<Argument | readonly unknown[]>[]
): fc.Arbitrary<Command> {
  return fc
    .tuple(fc.constantFrom(...names), ...parts)
    .map(([name, ...args]): Command => [name, ...(args.flat(3) as Argument[])]);
}

const writing = [
  command(["SET"], key, value, some(setOption, 0, 3)),
  command(["SETNX", "APPEND"], key, value),
  command(["GET", "GETDEL", "STRLEN"], key),
  command(["GETEX"], key, some(getExOption, 0, 2)),
  command(["MSET", "MSETNX"], some(fc.tuple(key, value), 1, 3)),
  command(["MSET", "MSETNX"], some(key, 2, 4)),
  command(["MGET"], some(key, 1, 4)),
  command(["GETRANGE"], key, position, position),
  command(["SETRANGE"], key, fc.constantFrom("0", "1", "5", "-1", "536870912", "x"), value),
  command(["INCR", "DECR"], key),
  command(["INCRBY", "DECRBY"], key, integer),
];
const keyspace = [
  command(["DEL", "UNLINK", "EXISTS", "TOUCH"], some(key, 1, 3)),
  command(["TYPE", "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"], key),
  command(["EXPIRE", "PEXPIRE"], key, lifetime, some(words("NX", "XX", "WHAT"), 0, 2)),
  command(["EXPIREAT", "PEXPIREAT"], key, moment, some(words("NX", "XX", "GT", "LT"), 0, 2)),
  command(["RENAME", "RENAMENX"], key, key),
  command(["COPY"], key, key, some(words("REPLACE"), 0, 1)),
  command(["DBSIZE", "FLUSHDB", "FLUSHALL", "PING"]),
  command(["FLUSHDB", "FLUSHALL"], words("ASYNC", "SYNC", "NOW")),
  command(["PING", "ECHO"], some(value, 1, 2)),
];
const sets = [
  command(["SADD", "SADD", "SREM"], key, some(member, 1, 4)),
  command(["SCARD", "SMEMBERS"], key),
  command(["SISMEMBER", "SMISMEMBER"], key, member),
  command(["SMISMEMBER"], key, some(member, 1, 3)),
  command(["SDIFF", "SINTER", "SUNION"], some(key, 1, 3)),
  command(["SDIFFSTORE", "SINTERSTORE", "SUNIONSTORE"], key, some(key, 1, 3)),
  command(["SMOVE"], key, key, member),
  command(["SPOP"], key, fc.constantFrom("100", "0", "-1", "x", "99999999999999999999")),
  command(["SRANDMEMBER"], key, fc.constantFrom("100", "0", "x", "-9223372036854775808", "9223372036854775807")),
  command(["SSCAN", "HSCAN"], key, fc.constantFrom("0", "x", "-1", "18446744073709551616"), some(scanOption, 0, 2)),
];
const hashes = [
  command(["HSET", "HSET"], key, some(fc.tuple(member, value), 1, 3)),
  command(["HSET"], key, some(member, 2, 4)),
  command(["HGET", "HEXISTS"], key, member),
  command(["HMGET", "HDEL"], key, some(member, 1, 3)),
  command(["HGETALL", "HLEN", "HKEYS", "HVALS"], key),
  command(["HINCRBY"], key, member, integer),
];
const score = fc.constantFrom<Argument>("0", "1", "-1", "2", "30", "+inf", "-inf", "x", "1764380000000000");
const bound = fc.constantFrom<Argument>(
  "-inf",
  "+inf",
  "(1",
  "1",
  "(-1",
  "2",
  "30",
  "(inf",
  "x",
  "(x",
  "1764380000000000",
);
const rangeOption = fc.oneof(
  fc.tuple(words("WITHSCORES")),
  fc.tuple(words("LIMIT"), position, position),
  fc.tuple(words("LIMIT", "WHAT")),
);
const sortedSets = [
  command(["ZADD", "ZADD", "ZADD"], key, some(fc.tuple(score, member), 1, 3)),
  command(["ZADD"], key, score, member, score),
  command(["ZCARD"], key),
  command(["ZSCORE"], key, member),
  command(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"], key, bound, bound, some(rangeOption, 0, 2)),
  command(["ZREMRANGEBYSCORE"], key, bound, bound),
];
const wrong = [
  command(
    ["SET", "SETNX", "GET", "GETDEL", "MSET", "INCR", "INCRBY", "SADD", "SMOVE", "HSET", "HGET"],
    some(key, 0, 1),
  ),
  command(
    ["GETEX", "DEL", "TTL", "EXPIRE", "RENAME", "COPY", "SPOP", "SSCAN", "HSCAN", "TIME", "ECHO"],
    some(key, 5, 6),
  ),
];

/** Commands of all kinds, most of them right. */
export const commands: fc.Arbitrary<Command> = fc.oneof(
  ...writing,
  ...keyspace,
  ...sets,
  ...hashes,
  ...sortedSets,
  ...wrong,
);
