import type { Argument, Call, Reply, Script, Twin } from "../core/connection.js";
import { ReplyError } from "../core/errors.js";
import { toBytes } from "../core/text.js";

/*
 * How scripts read an entry, inside the server. An entry is a plain value or an envelope; codec/envelope.ts has the byte
 * layout. Offsets in Lua count from 1. A placeholder and a stale entry count as absent. An envelope of another format
 * version counts as a plain value, because its offsets may differ. Each script has a twin in JavaScript, which the memory
 * transport runs.
 */
const MAGIC = "\x11V1";

/** Begins every script: the time, the state of an entry, the proof of a lease, and its extension. */
const PRELUDE = `local NO_TOKEN = string.rep(' ', 12)
local time
local function now()
  time = time or redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function number(digits)
  return string.match(digits, '^%d+$') and tonumber(digits) or 0
end
local function inspect(key)
  local head = redis.pcall('GETRANGE', key, 0, 56)
  if type(head) == 'table' then
    if not string.match(head.err, 'WRONGTYPE') then redis.call('GETRANGE', key, 0, 56) end
    return 'plain', ''
  end
  if head == '' then return 'none', head end
  if string.sub(head, 1, 3) ~= '\\17V1' then return 'plain', head end
  if #head < 57 then return 'placeholder', head end
  if number(string.sub(head, 5, 19)) > now() then return 'fresh', head end
  return 'stale', head
end
local function leased(token)
  local what, head = inspect(KEYS[1])
  if what == 'plain' or what == 'none' or string.sub(head, 30, 41) ~= token then return nil end
  return head
end
local function outlive(key, ms)
  local left = redis.call('PTTL', key)
  if left >= 0 and left < tonumber(ms) then redis.call('PEXPIRE', key, ms) end
end
local function extend(ms)
  redis.call('SETRANGE', KEYS[1], 41, string.format('%015.0f', now() + ms))
  outlive(KEYS[1], ms)
end
`;

/** The state of an entry, as scripts see it. `plain` is a value without an envelope. */
export type EntryState = "none" | "plain" | "placeholder" | "fresh" | "stale";

/** The state of an entry, and its first 57 bytes: the header and one byte of the payload. */
export function inspect(call: Call, key: string): { kind: EntryState; head: string } {
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

/** The server's time in milliseconds since the epoch. */
export function now(call: Call): number {
  const time = call("TIME");
  const [seconds = null, micros = null] = Array.isArray(time) ? time : [];
  return Number(text(seconds)) * 1_000 + Math.floor(Number(text(micros)) / 1_000);
}

/** One character for each byte, as in Lua. */
export function text(reply: Reply | Argument): string {
  if (reply instanceof ReplyError) throw reply;
  return reply instanceof Uint8Array ? String.fromCharCode(...reply) : String(reply ?? "");
}

/** A number in a header; 0 where the header is broken. */
export function number(digits: string): number {
  return /^\d+$/.test(digits) ? Number(digits) : 0;
}

/** A moment as a header has it. */
export function digits(ms: number): string {
  return String(Math.round(ms)).padStart(15, "0");
}

/** A script that begins with the prelude. */
export function script(name: string, lua: string, twin?: Twin): Script {
  return { name, lua: PRELUDE + lua, twin };
}

/** The entry's head, if the lease on it has this token. */
export function leased(call: Call, key: string, token: Argument): string | undefined {
  const { kind, head } = inspect(call, key);
  return kind !== "plain" && kind !== "none" && head.slice(29, 41) === text(token) ? head : undefined;
}

/** Extends a key's lifetime to at least `ms`. */
export function outlive(call: Call, key: string, ms: number): void {
  const leftMs = Number(call("PTTL", key));
  if (leftMs >= 0 && leftMs < ms) call("PEXPIRE", key, String(ms));
}

/** Extends the lease. The entry lives at least as long, because the loaded value replaces it only if it is still there. */
export function extend(call: Call, key: string, leaseMs: number): void {
  call("SETRANGE", key, "41", digits(now(call) + leaseMs));
  outlive(call, key, leaseMs);
}

/** Whether a stored string has exactly these bytes. */
export function same(stored: Reply, expected: Argument): boolean {
  const bytes = toBytes(expected);
  return stored instanceof Uint8Array && stored.length === bytes.length && stored.every((byte, i) => byte === bytes[i]);
}
