import type { Reply } from "../core/connection.js";
import { ReplyError } from "../core/errors.js";

/** Commands whose reply is a map, which RESP2 sends as alternating keys and values. */
const MAPS: ReadonlySet<string> = new Set(["HGETALL", "CONFIG"]);
const CODED = /^([A-Z][A-Z0-9_]*) (.*)$/s;

/** The reply in the port's shape: a map as an array of pairs. */
export function toShape(reply: Reply, command = ""): Reply {
  if (!Array.isArray(reply) || !MAPS.has(command.toUpperCase())) return reply;
  const pairs: Reply[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) pairs.push(reply.slice(i, i + 2));
  return pairs;
}

/** The server's error, whose first word is its code. */
export function toReplyError(message: string): ReplyError {
  const [, code = "ERR", detail = message] = CODED.exec(message) ?? [];
  return new ReplyError(code, detail);
}
