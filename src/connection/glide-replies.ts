import type { Command, Reply } from "../core/command.js";
import { ReplyError } from "../core/errors.js";
import { toText } from "../core/text.js";

/** Whether a command answers with a status other than OK, which GLIDE hands over as bytes. */
function answersStatus(command: Command | undefined): boolean {
  return command?.[0] === "TYPE" || (command?.[0] === "PING" && command.length === 1);
}

/** GLIDE's reply in the port's shape: booleans as numbers, maps as arrays of pairs, status replies as strings. */
export function toReply(value: unknown, command?: Command): Reply {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  if (value instanceof Uint8Array) return answersStatus(command) ? toText(value) : value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (Array.isArray(value)) {
    if (command?.[0] === "MGET" || isPlain(value)) return value;
    return value.map((item) => (isPair(item) ? [toReply(item.key), toReply(item.value)] : toReply(item)));
  }
  if (value === undefined) return null;
  return new ReplyError("ERR", `a reply of an unknown kind, ${typeof value}`);
}

/** Whether nothing in an array needs translation, as in nearly all. */
function isPlain(items: readonly unknown[]): items is Reply[] {
  for (const item of items) {
    if (typeof item !== "string" && item !== null && !(item instanceof Uint8Array)) return false;
  }
  return true;
}

function isPair(item: unknown): item is { key: unknown; value: unknown } {
  return typeof item === "object" && item !== null && Object.hasOwn(item, "key") && Object.hasOwn(item, "value");
}
