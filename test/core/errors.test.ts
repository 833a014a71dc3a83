import { describe, expect, it } from "vitest";
import {
  CacheError,
  ConfigurationError,
  ConnectionError,
  DecodeError,
  EncodeError,
  KeyNotFoundError,
  LoaderTimeoutError,
  NotAnIntegerError,
  ReplyError,
  show,
  TimeoutError,
  throwIfError,
} from "../../src/core/errors.js";

describe("errors", () => {
  it.each([
    [ConfigurationError, "ConfigurationError"],
    [ConnectionError, "ConnectionError"],
    [TimeoutError, "TimeoutError"],
    [EncodeError, "EncodeError"],
    [DecodeError, "DecodeError"],
    [KeyNotFoundError, "KeyNotFoundError"],
    [NotAnIntegerError, "NotAnIntegerError"],
    [LoaderTimeoutError, "LoaderTimeoutError"],
  ] as const)("%o has a name of its own, and keeps its cause", (Kind, name) => {
    const cause = new Error("why");
    const error = new Kind("what", { cause });
    expect(error).toBeInstanceOf(CacheError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name, message: "what", cause });
    expect(String(error)).toBe(`${name}: what`);
  });

  it("for timeouts are connection errors as well", () => {
    expect(new TimeoutError("late")).toBeInstanceOf(ConnectionError);
  });

  it("for replies have the server's code and message", () => {
    const error = new ReplyError("WRONGTYPE", "wrong kind of value");
    expect(error).toMatchObject({ name: "ReplyError", code: "WRONGTYPE", detail: "wrong kind of value" });
    expect(error.message).toBe("WRONGTYPE wrong kind of value");
  });
});

describe("throwIfError", () => {
  it("throws a reply that is an error, and returns other replies", () => {
    const error = new ReplyError("ERR", "no");
    expect(() => throwIfError(error)).toThrow(error);
    for (const reply of [null, 0, "OK", [error], new Uint8Array(1)]) expect(throwIfError(reply)).toBe(reply);
  });
});

describe("show", () => {
  class Thing {}
  it.each([
    ["text", '"text"'],
    ['quo"ted\n', '"quo\\"ted\\n"'],
    [12, "12"],
    [12n, "12n"],
    [Number.NaN, "NaN"],
    [null, "null"],
    [undefined, "undefined"],
    [true, "true"],
    [() => 1, "a function"],
    [Thing, "a function"],
    [Symbol("secret"), "a symbol"],
    [[1, 2], "an array"],
    [{ secret: 1 }, "an object"],
    [Object.create(null), "an object"],
    [(function* () {})(), "an object"],
    [new Thing(), "an instance of Thing"],
    [new Map([["secret", 1]]), "an instance of Map"],
  ])("tells what it is in few words, not what is in it: %s", (value, shown) => {
    expect(show(value)).toBe(shown);
  });

  it("truncates long strings", () => {
    expect(show("x".repeat(1_000))).toHaveLength(60);
  });
});
