import { ReplyError } from "../../core/errors.js";

/** The server's own words, so that what is learnt from one transport holds on the others. */
export const refusals = {
  wrongType: () => new ReplyError("WRONGTYPE", "Operation against a key holding the wrong kind of value"),
  syntax: () => err("syntax error"),
  arity: (name: string) => err(`wrong number of arguments for '${name.toLowerCase()}' command`),
  notAnInteger: () => err("value is not an integer or out of range"),
  overflow: () => err("increment or decrement would overflow"),
  expireTime: (name: string) => err(`invalid expire time in '${name.toLowerCase()}' command`),
  noSuchKey: () => err("no such key"),
  outOfRange: () => err("value is out of range, must be positive"),
};

/** An error without a code of its own. */
export function err(detail: string): ReplyError {
  return new ReplyError("ERR", detail);
}
