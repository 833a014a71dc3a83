import { ConfigurationError, ConnectionError, DecodeError, ReplyError } from "../../src/core/errors.js";

/** What code of the user's, or a store, may throw: errors of every kind, and what is no error. */
export const THROWN: readonly (readonly [name: string, thrown: unknown])[] = [
  ["an Error", new Error("broken")],
  ["a ConfigurationError", new ConfigurationError("not here")],
  ["a ConnectionError", new ConnectionError("lost")],
  ["a ReplyError", new ReplyError("OOM", "no room")],
  ["a DecodeError", new DecodeError("rubbish")],
  ["a TypeError", new TypeError("no such thing")],
  ["a RangeError", new RangeError("too deep")],
  ["undefined", undefined],
  ["null", null],
  ["text", "broken"],
  ["a symbol", Symbol("broken")],
  ["a frozen object", Object.freeze({})],
  ["an object without a prototype", Object.create(null)],
  ["an error that can't be read", unreadable()],
];

function unreadable(): Error {
  const get = (): never => {
    throw new Error("read");
  };
  return Object.defineProperties(new Error(), {
    message: { get },
    name: { get },
    stack: { get },
    toString: { get },
    [Symbol.toPrimitive]: { get },
  });
}
