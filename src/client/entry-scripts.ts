import { FOREVER, HEADER_LENGTH, NO_TOKEN, SOFT_BELOW, seal } from "../codec/envelope.js";
import { TAGGED_CODE } from "../codec/tagged.js";
import type { Argument, Call, Reply, Script, Twin, Twins } from "../core/connection.js";
import { toBytes } from "../core/text.js";
import { digits, inspect, now, number, script, text } from "../lease/state.js";

/*
 * The server doesn't know whether an entry with tags was purged. So these scripts reply with its stamp and labels, in a list
 * after the number that they reply with else. Those that must not change an entry before it is judged change nothing then, and
 * run to their end when they are given the same stamp and labels as their last argument.
 */

/** Begins a script: whether there is an entry, and its stamp and labels. */
const ENTRY = `local what, head = inspect(KEYS[1])
local is, tags = what == 'plain' or what == 'fresh'
if what == 'fresh' and string.byte(head, 57) == ${TAGGED_CODE} then
  tags = redis.call('GETRANGE', KEYS[1], 56, 84 + 12 * number(redis.call('GETRANGE', KEYS[1], 82, 84)))
end
local function was(reply) return tags and {reply, tags} or reply end
`;

/** Begins a script that changes no entry with tags before it is judged. */
const JUDGED = `${ENTRY}if tags and tags ~= ARGV[#ARGV] then return was(0) end
`;

/** The steps of `ENTRY` in JavaScript. */
function look(call: Call, key: string) {
  const { kind, head } = inspect(call, key);
  const hasTags = kind === "fresh" && head.charCodeAt(HEADER_LENGTH) === TAGGED_CODE;
  const end = hasTags ? 84 + 12 * number(text(call("GETRANGE", key, "82", "84"))) : 0;
  const tags = hasTags ? call("GETRANGE", key, "56", String(end)) : undefined;
  const was = (reply: number): Reply => (tags === undefined ? reply : [reply, tags]);
  return { kind, head, is: kind === "plain" || kind === "fresh", tags, was };
}

/** Whether an entry has tags that are not the last argument. */
const isUnjudged = ({ tags }: { readonly tags: Reply | undefined }, args: readonly Argument[]): boolean =>
  tags !== undefined && text(tags) !== text(args.at(-1) ?? "");

/**
 * ARGV: the value, its lifetime in ms (empty never expires), `nx` or `xx`; tags of an entry that meets the condition.
 * Reply: 1 when it was written, else 0.
 */
export const SET_IF: Script = /* @__PURE__ */ script(
  "set if",
  `${JUDGED}if not tags and is == (ARGV[3] == 'nx') then return 0 end
if ARGV[2] == '' then redis.call('SET', KEYS[1], ARGV[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1`,
);

const setIfTwin: Twin = (call, [key = ""], args) => {
  const [value = "", ttlMs = "", condition] = args;
  const entry = look(call, key);
  if (isUnjudged(entry, args)) return entry.was(0);
  if (entry.tags === undefined && entry.is === (condition === "nx")) return 0;
  call("SET", key, value, ...(ttlMs === "" ? [] : ["PX", ttlMs]));
  return 1;
};

/**
 * Sets the expiry of an entry, the logical one in an envelope, or removes it. The grace keeps its length. An expiry that has
 * passed deletes the entry, and ends the lease of a load that is under way.
 * ARGV: `in` and milliseconds, `at` and milliseconds since the epoch, or `never`; the grace for an entry that had no expiry.
 * Reply: 1 when there was an entry, else 0; 2 for `never` where the entry had no expiry.
 */
export const EXPIRE: Script = /* @__PURE__ */ script(
  "expire",
  `${ENTRY}local at = tonumber(ARGV[2])
if ARGV[1] == 'in' then at = at + now() end
if at and at <= now() then redis.call('UNLINK', KEYS[1]) return is and was(1) or 0 end
if not is then return 0 end
if not at then
  local had = redis.call('PERSIST', KEYS[1]) == 1
  if what == 'fresh' then
    had = string.sub(head, 5, 19) ~= '${FOREVER}'
    redis.call('SETRANGE', KEYS[1], 4, '${FOREVER}')
  end
  return was(had and 1 or 2)
end
if what == 'plain' then redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', at)) return 1 end
local left = redis.call('PTTL', KEYS[1])
local grace = tonumber(ARGV[3])
if left >= 0 then grace = math.max(0, left - (tonumber(string.sub(head, 5, 19)) - now())) end
redis.call('SETRANGE', KEYS[1], 4, string.format('%015.0f', math.min(at, ${FOREVER})))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', at + grace))
return was(1)`,
);

const expireTwin: Twin = (call, [key = ""], [mode, ms, graceMs]) => {
  const { kind, head, is, was } = look(call, key);
  const isEver = mode === "never";
  const atMs = isEver ? FOREVER : Number(text(ms ?? "0")) + (mode === "in" ? now(call) : 0);
  if (atMs <= now(call)) {
    call("UNLINK", key);
    return is ? was(1) : 0;
  }
  if (!is) return 0;
  if (isEver) {
    const persisted = call("PERSIST", key) === 1;
    if (kind === "plain") return persisted ? 1 : 2;
    call("SETRANGE", key, "4", String(FOREVER));
    return was(head.slice(4, 19) === String(FOREVER) ? 2 : 1);
  }
  if (kind === "plain") {
    call("PEXPIREAT", key, String(atMs));
    return 1;
  }
  const leftMs = Number(call("PTTL", key));
  const grace =
    leftMs < 0 ? Number(text(graceMs ?? "0")) : Math.max(0, leftMs - (Number(head.slice(4, 19)) - now(call)));
  call("SETRANGE", key, "4", digits(Math.min(atMs, FOREVER)));
  call("PEXPIREAT", key, String(Math.round(atMs + grace)));
  return was(1);
};

/**
 * Makes an entry stale, whatever clocks its readers have, and ends the lease of a load under way, as its value may be older.
 * A plain value gets an envelope. A placeholder is deleted, and so is an envelope of another format version, whose fields
 * may be elsewhere.
 * ARGV: the mark of the serializer; how long the entry stays, in ms, or empty for what is left of its lifetime.
 * Reply: 1 when there was an entry, else 0.
 */
export const EXPIRE_SOFTLY: Script = /* @__PURE__ */ script(
  "expire softly",
  `${ENTRY}local plain = what == 'plain'
if what == 'none' or what == 'placeholder' or plain and string.sub(head, 1, 2) == '\\17V' then
  redis.call('UNLINK', KEYS[1])
  return plain and 1 or 0
end
local at = plain and now() or math.min(now(), number(string.sub(head, 5, 19)))
if at >= ${SOFT_BELOW} then at = math.ceil(at / 1000) end
at = string.format('%015.0f', at)
local lease = NO_TOKEN .. string.rep('0', 15)
if plain then
  local stored = redis.call('GET', KEYS[1])
  redis.call('SET', KEYS[1], '\\17V1' .. ARGV[1] .. at .. string.rep('0', 10) .. lease .. stored, 'KEEPTTL')
else
  redis.call('SETRANGE', KEYS[1], 4, at .. string.sub(head, 20, 29) .. lease)
end
if ARGV[2] ~= '' then
  local left = redis.call('PTTL', KEYS[1])
  if left < 0 or left > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
end
return was(what == 'stale' and 0 or 1)`,
);

const expireSoftlyTwin: Twin = (call, [key = ""], [mark = "", stayMs = ""]) => {
  const { kind, head, was } = look(call, key);
  const isPlain = kind === "plain";
  if (kind === "none" || kind === "placeholder" || (isPlain && head.startsWith("\x11V"))) {
    call("UNLINK", key);
    return isPlain ? 1 : 0;
  }
  const atMs = isPlain ? now(call) : Math.min(now(call), number(head.slice(4, 19)));
  const freshUntilMs = atMs >= SOFT_BELOW ? Math.ceil(atMs / 1_000) : atMs;
  if (isPlain) {
    const stored = call("GET", key);
    const header = { freshUntilMs, deltaMs: 0, token: NO_TOKEN, leaseUntilMs: 0 };
    call("SET", key, seal(header, text(mark), stored instanceof Uint8Array ? stored : text(stored)), "KEEPTTL");
  } else {
    call("SETRANGE", key, "4", digits(freshUntilMs) + head.slice(19, 29) + NO_TOKEN + digits(0));
  }
  const leftMs = stayMs === "" ? 0 : Number(call("PTTL", key));
  if (leftMs < 0 || leftMs > Number(text(stayMs))) call("PEXPIRE", key, stayMs);
  return was(kind === "stale" ? 0 : 1);
};

/**
 * Adds to an integer and keeps its expiry. Ends the lease of a refresh under way, as its value is older.
 * ARGV: the number to add; `create` or empty; for what is created, its lifetime in ms or empty, and its header or empty; tags
 * of an entry that was purged.
 * Reply: the new value in decimal, as a Lua number would lose digits beyond 2^53; null when there is no entry.
 */
export const INCREMENT: Script = /* @__PURE__ */ script(
  "increment",
  `${JUDGED}if what == 'plain' then
  redis.call('INCRBY', KEYS[1], ARGV[1])
  return redis.call('GET', KEYS[1])
end
if tags or what ~= 'fresh' then
  if ARGV[2] == '' then return false end
  if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[4] .. ARGV[1])
  else redis.call('SET', KEYS[1], ARGV[4] .. ARGV[1], 'PX', ARGV[3]) end
  return ARGV[1]
end
local stored = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], string.sub(stored, 57), 'KEEPTTL')
local added = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(added) == 'table' then redis.call('SET', KEYS[1], stored, 'KEEPTTL') return added end
local value = redis.call('GET', KEYS[1])
local head = string.sub(stored, 1, 29) .. string.rep(' ', 12) .. string.sub(stored, 42, 56)
redis.call('SET', KEYS[1], head .. value, 'KEEPTTL')
return value`,
);

const incrementTwin: Twin = (call, [key = ""], args) => {
  const [delta = "0", create = "", ttlMs = "", header = ""] = args;
  const entry = look(call, key);
  const { kind, tags } = entry;
  if (isUnjudged(entry, args)) return entry.was(0);
  if (kind === "plain") {
    call("INCRBY", key, delta);
    return call("GET", key);
  }
  if (tags !== undefined || kind !== "fresh") {
    if (create === "") return null;
    call("SET", key, text(header) + text(delta), ...(ttlMs === "" ? [] : ["PX", ttlMs]));
    return text(delta);
  }
  const stored = call("GET", key);
  if (!(stored instanceof Uint8Array)) return null;
  const head = text(stored.subarray(0, 56));
  // An integer is short, so a longer value is refused without being read.
  call("SET", key, stored.length > 100 ? "x" : stored.subarray(56), "KEEPTTL");
  try {
    call("INCRBY", key, delta);
  } catch (error) {
    call("SET", key, stored, "KEEPTTL");
    throw error;
  }
  const value = text(call("GET", key));
  call("SET", key, head.slice(0, 29) + NO_TOKEN + head.slice(41, 56) + value, "KEEPTTL");
  return value;
};

/**
 * Deletes what is left of an expired entry, and placeholders, which count as absent, so that a set or a hash can be stored
 * under the key. Reply: 1 if something was deleted, else 0.
 */
export const CLEAR_ABSENT: Script = /* @__PURE__ */ script(
  "clear absent",
  `local what = inspect(KEYS[1])
if what ~= 'stale' and what ~= 'placeholder' then return 0 end
return redis.call('UNLINK', KEYS[1])`,
);

const clearAbsentTwin: Twin = (call, [key = ""]) => {
  const { kind } = inspect(call, key);
  return kind === "stale" || kind === "placeholder" ? call("UNLINK", key) : 0;
};

/**
 * Moves KEYS[1] over KEYS[2], with what is left of its lifetime. ARGV: tags of an entry that was not purged.
 * Reply: 1, or 0 when there is nothing to move.
 */
export const MOVE: Script = /* @__PURE__ */ script(
  "move",
  `${JUDGED}if not is then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
return 1`,
);

const moveTwin: Twin = (call, [from = "", to = ""], args) => {
  const entry = look(call, from);
  if (isUnjudged(entry, args)) return entry.was(0);
  if (!entry.is) return 0;
  call("RENAME", from, to);
  return 1;
};

/** Deletes KEYS[1] while it is the stored bytes ARGV[1]. Reply: 1 if it was deleted, else 0. */
export const DELETE_IF: Script = {
  name: "delete if",
  lua: `if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end
return 0`,
};

const deleteIfTwin: Twin = (call, [key = ""], [stored = ""]) =>
  sameBytes(call("GET", key), stored) ? call("UNLINK", key) : 0;

function sameBytes(reply: Reply, stored: Argument): boolean {
  if (typeof reply !== "string" && !(reply instanceof Uint8Array)) return false;
  const [one, other] = [toBytes(reply), toBytes(stored)];
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

/** The twins of these scripts. */
export const entryTwins: Twins = new Map([
  [SET_IF, setIfTwin],
  [EXPIRE, expireTwin],
  [EXPIRE_SOFTLY, expireSoftlyTwin],
  [INCREMENT, incrementTwin],
  [CLEAR_ABSENT, clearAbsentTwin],
  [MOVE, moveTwin],
  [DELETE_IF, deleteIfTwin],
]);
