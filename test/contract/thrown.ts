import { ConfigurationError, ConnectionError, DecodeError, ReplyError } from "../../src/core/errors.js";

export type Thrown = readonly (readonly [name: string, thrown: unknown])[];

/** One of each sort, for suites that run over many stores, where each takes round trips. */
export const FEW_THROWN: Thrown = [
  ["an Error", new Error("broken")],
  ["a ReplyError", new ReplyError("OOM", "no room")],
  ["undefined", undefined],
  ["an error that can't be read", unreadable()],
];

/** What code of the user's, or a store, may throw: errors of every kind, and what is no error. */
export const THROWN: Thrown = [
  ...FEW_THROWN,
  ["a ConfigurationError", new ConfigurationError("not here")],
  ["a ConnectionError", new ConnectionError("lost")],
  ["a DecodeError", new DecodeError("rubbish")],
  ["a TypeError", new TypeError("no such thing")],
  ["a RangeError", new RangeError("too deep")],
  ["null", null],
  ["text", "broken"],
  ["a symbol", Symbol("broken")],
  ["a frozen object", Object.freeze({})],
  ["an object without a prototype", Object.create(null)],
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
