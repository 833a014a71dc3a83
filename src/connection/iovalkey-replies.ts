import type { Reply } from "../core/command.js";
import { ReplyError } from "../core/errors.js";

/** Commands whose reply is a map, which RESP2 sends as keys and values in turn. */
const MAPS: ReadonlySet<string> = new Set(["HGETALL", "CONFIG"]);
const CODED = /^([A-Z][A-Z0-9_]*) (.*)$/s;
const [PLUS, CR, LF] = [0x2b, 0x0d, 0x0a] as const;
const LONGEST_STATUS = 64;

/** iovalkey's reply as data: status replies as strings, errors in their place. Maps are still flat. */
export function toReply(value: unknown): Reply {
  if (value === null || typeof value === "number") return value;
  if (value instanceof Uint8Array) return status(value) ?? value;
  if (Array.isArray(value)) return value.map(toReply);
  if (value instanceof Error) return toReplyError(value);
  return new ReplyError("ERR", `a reply of an unknown kind, ${typeof value}`);
}

/** The reply in the port's shape: a map as an array of pairs. */
export function toShape(reply: Reply, command = ""): Reply {
  if (!Array.isArray(reply) || !MAPS.has(command.toUpperCase())) return reply;
  const pairs: Reply[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) pairs.push(reply.slice(i, i + 2));
  return pairs;
}

/** The server's error. Without a cause: iovalkey's own carries the command's arguments, passwords included. */
export function toReplyError({ message }: Error): ReplyError {
  const [, code = "ERR", detail = message] = CODED.exec(message) ?? [];
  return new ReplyError(code, detail);
}

/**
 * The text of a status reply. iovalkey hands it over as bytes, like a bulk string; but both are windows on what came from
 * the server, and there a status stands between `+` and CR LF. (A bulk string that came in pieces is a window on other
 * memory. Should that ever look the same, the string is short printable text, and says the same.)
 */
function status(bytes: Uint8Array): string | undefined {
  const { buffer, byteOffset, length } = bytes;
  if (byteOffset === 0 || length > LONGEST_STATUS) return undefined;
  const around = new Uint8Array(buffer, byteOffset - 1, Math.min(length + 3, buffer.byteLength - byteOffset + 1));
  if (around[0] !== PLUS || around[length + 1] !== CR || around[length + 2] !== LF) return undefined;
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f) ? String.fromCharCode(...bytes) : undefined;
}
