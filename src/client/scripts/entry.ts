import type { Argument, Reply } from "../../core/command.js";
import { ReplyError } from "../../core/errors.js";
import type { Call, Script } from "../../core/script.js";

/*
 * What runs inside the server. An entry is a plain value, or an envelope (codec/envelope.ts has the byte layout, of which
 * the offsets below count from 1, as Lua does); a placeholder and a stale entry count as absent. An envelope of another
 * format version is left alone like a plain value, as its offsets may be others. Each script has the same steps in
 * JavaScript for the memory transport.
 */
const MAGIC = "\x11V1";

/** What every script knows: the time, and what an entry is. */
const PRELUDE = `local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function number(digits)
  return string.match(digits, '^%d+$') and tonumber(digits) or 0
end
local function look(key)
  local head = redis.pcall('GETRANGE', key, 0, 56)
  if type(head) == 'table' then return 'plain', '' end
  if head == '' then return 'none', head end
  if string.sub(head, 1, 3) ~= '\\17V1' then return 'plain', head end
  if #head < 57 then return 'placeholder', head end
  if number(string.sub(head, 5, 19)) > now() then return 'fresh', head end
  return 'stale', head
end
local function exists(key)
  local what = look(key)
  return what == 'plain' or what == 'fresh'
end
`;

export type Kind = "none" | "plain" | "placeholder" | "fresh" | "stale";

export function look(call: Call, key: string): { kind: Kind; head: string } {
  let head: string;
  try {
    head = text(call("GETRANGE", key, "0", "56"));
  } catch (error) {
    if (error instanceof ReplyError && error.code === "WRONGTYPE") return { kind: "plain", head: "" };
    throw error;
  }
  if (head === "") return { kind: "none", head };
  if (!head.startsWith(MAGIC)) return { kind: "plain", head };
  if (head.length < 57) return { kind: "placeholder", head };
  return { kind: number(head.slice(4, 19)) > now(call) ? "fresh" : "stale", head };
}

export function exists(call: Call, key: string): boolean {
  const { kind } = look(call, key);
  return kind === "plain" || kind === "fresh";
}

export function now(call: Call): number {
  const time = call("TIME");
  const [seconds = null, micros = null] = Array.isArray(time) ? time : [];
  return Number(text(seconds)) * 1_000 + Math.floor(Number(text(micros)) / 1_000);
}

/** One character for each byte, as Lua has it. */
export function text(reply: Reply | Argument): string {
  if (reply instanceof ReplyError) throw reply;
  return reply instanceof Uint8Array ? String.fromCharCode(...reply) : String(reply ?? "");
}

/** What stands in a header; 0 where that is broken. */
export function number(digits: string): number {
  return /^\d+$/.test(digits) ? Number(digits) : 0;
}

export function digits(ms: number): string {
  return String(Math.round(ms)).padStart(15, "0");
}

export function script(name: string, lua: string, twin: Script["twin"]): Script {
  return { name, lua: PRELUDE + lua, twin };
}
