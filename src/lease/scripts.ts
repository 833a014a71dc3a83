import { NO_TOKEN } from "../codec/envelope.js";
import type { Argument, Call, Reply, Script } from "../core/connection.js";
import { ReplyError } from "../core/errors.js";
import { toBytes } from "../core/text.js";

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

/** What scripts that hold a lease know. */
export const HOLDS = `local function holds(token)
  local head = redis.pcall('GETRANGE', KEYS[1], 0, 56)
  if type(head) == 'table' or string.sub(head, 1, 3) ~= '\\17V1' or string.sub(head, 30, 41) ~= token then return nil end
  return head
end
local function lease(ms)
  redis.call('SETRANGE', KEYS[1], 41, string.format('%015.0f', now() + ms))
  local left = redis.call('PTTL', KEYS[1])
  if left >= 0 and left < ms then redis.call('PEXPIRE', KEYS[1], ms) end
end
`;

/** The entry's head while the lease is held with this token. */
export function holds(call: Call, key: string, token: Argument): string | undefined {
  const { kind, head } = look(call, key);
  return kind !== "plain" && kind !== "none" && head.slice(29, 41) === text(token) ? head : undefined;
}

/** The entry stays at least as long as the lease: what is loaded for it must find it. */
export function lease(call: Call, key: string, leaseMs: number): void {
  call("SETRANGE", key, "41", digits(now(call) + leaseMs));
  const leftMs = Number(call("PTTL", key));
  if (leftMs >= 0 && leftMs < leaseMs) call("PEXPIRE", key, String(leaseMs));
}

/**
 * Takes the lease on an entry that has a value. ARGV: the fresh-until that the caller saw, the token, the lease in ms.
 * Reply: 1, or 0 when somebody holds it, or has refreshed the entry since.
 */
export const CLAIM: Script = script(
  "claim",
  `${HOLDS}local what, head = look(KEYS[1])
if what ~= 'fresh' and what ~= 'stale' then return 0 end
if string.sub(head, 5, 19) ~= ARGV[1] or number(string.sub(head, 42, 56)) > now() then return 0 end
redis.call('SETRANGE', KEYS[1], 29, ARGV[2])
lease(tonumber(ARGV[3]))
return 1`,
  (call, [key = ""], [seen = "", token = "", leaseMs = "0"]) => {
    const { kind, head } = look(call, key);
    if (kind !== "fresh" && kind !== "stale") return 0;
    if (head.slice(4, 19) !== text(seen) || number(head.slice(41, 56)) > now(call)) return 0;
    call("SETRANGE", key, "29", token);
    lease(call, key, Number(text(leaseMs)));
    return 1;
  },
);

/** Puts a placeholder where ARGV[1] is stored, which can't be read. ARGV: that, the placeholder, the lease in ms. Reply: 1, or 0 when it is gone. */
export const SEIZE: Script = {
  name: "seize",
  lua: `if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`,
  twin: (call, [key = ""], [seen = "", placeholder = "", leaseMs = "0"]) => {
    if (call("TYPE", key) !== "string" || !same(call("GET", key), seen)) return 0;
    call("SET", key, placeholder, "PX", leaseMs);
    return 1;
  },
};

/** Writes a value while the lease is held. ARGV: token, value, lifetime in ms or empty for ever. Reply: 1, or 0 when it is lost. */
export const PUBLISH: Script = script(
  "publish",
  `${HOLDS}if not holds(ARGV[1]) then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1`,
  (call, [key = ""], [token = "", value = "", ttlMs = ""]) => {
    if (!holds(call, key, token)) return 0;
    call("SET", key, value, ...(ttlMs === "" ? [] : ["PX", ttlMs]));
    return 1;
  },
);

/** Holds the lease for longer. ARGV: token, the lease in ms. Reply: 1, or 0 when it is lost. */
export const RENEW: Script = script(
  "renew",
  `${HOLDS}if not holds(ARGV[1]) then return 0 end
lease(tonumber(ARGV[2]))
return 1`,
  (call, [key = ""], [token = "", leaseMs = "0"]) => {
    if (!holds(call, key, token)) return 0;
    lease(call, key, Number(text(leaseMs)));
    return 1;
  },
);

/** Deletes the entry while the lease is held. ARGV: token. Reply: 1, or 0 when it is lost. */
export const DROP: Script = script(
  "drop",
  `${HOLDS}if not holds(ARGV[1]) then return 0 end
redis.call('UNLINK', KEYS[1])
return 1`,
  (call, [key = ""], [token = ""]) => (holds(call, key, token) === undefined ? 0 : call("UNLINK", key)),
);

/**
 * Gives the lease up: a placeholder goes, a value stays as long as it would have, and nobody may claim it for a while.
 * ARGV: token, that while in ms, the grace in ms. Reply: 1, or 0 when the lease was lost.
 */
export const YIELD: Script = script(
  "yield",
  `${HOLDS}local head = holds(ARGV[1])
if not head then return 0 end
if #head < 57 then redis.call('UNLINK', KEYS[1]) return 1 end
redis.call('SETRANGE', KEYS[1], 29, string.rep(' ', 12) .. string.format('%015.0f', now() + ARGV[2]))
local fresh = string.sub(head, 5, 19)
if fresh ~= '999999999999999' then redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', number(fresh) + ARGV[3])) end
return 1`,
  (call, [key = ""], [token = "", pauseMs = "0", graceMs = "0"]) => {
    const head = holds(call, key, token);
    if (!head) return 0;
    if (head.length < 57) {
      call("UNLINK", key);
      return 1;
    }
    call("SETRANGE", key, "29", NO_TOKEN + digits(now(call) + Number(text(pauseMs))));
    const fresh = head.slice(4, 19);
    if (fresh !== "9".repeat(15)) call("PEXPIREAT", key, String(number(fresh) + Number(text(graceMs))));
    return 1;
  },
);

function same(stored: Reply, seen: Argument): boolean {
  const bytes = toBytes(seen);
  return stored instanceof Uint8Array && stored.length === bytes.length && stored.every((byte, i) => byte === bytes[i]);
}
