import { NO_TOKEN } from "../codec/envelope.js";
import type { Call, Script } from "../core/connection.js";
import { inspect, leased, outlive, same, script, text } from "../lease/state.js";

/*
 * Scripts that only the HTTP cache has; lease/scripts.ts has those of the lease. All keys of one script belong to one URL,
 * and so to one slot of a cluster. Offsets in Lua count from 1; record.ts has the layout.
 */

/**
 * Stores a record while the lease is held, and, where its URL has an index, while that is as the caller read it.
 * KEYS: what the lease is on; the URL's own key; where to store; variants to delete.
 * ARGV: token; the URL's record as the caller read it, or empty when that is what the lease is on; the new index, or empty;
 * the record; its lifetime in ms. Reply: 1, 0 when the lease is lost, or the URL's record when it is another.
 */
export const PUBLISH_RESPONSE: Script = /* @__PURE__ */ script(
  "http publish",
  `if not leased(ARGV[1]) then return 0 end
if ARGV[2] ~= '' then
  local base = redis.call('GET', KEYS[2])
  if base ~= ARGV[2] then return base or 0 end
end
if ARGV[3] ~= '' then
  local left = ARGV[2] ~= '' and redis.call('PTTL', KEYS[2]) or 0
  redis.call('SET', KEYS[2], ARGV[3], 'PX', string.format('%.0f', math.max(left, tonumber(ARGV[5]))))
elseif KEYS[2] ~= KEYS[3] then outlive(KEYS[2], ARGV[5]) end
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
if KEYS[1] ~= KEYS[2] and KEYS[1] ~= KEYS[3] then redis.call('UNLINK', KEYS[1]) end
for i = 4, #KEYS do if KEYS[i] ~= KEYS[3] then redis.call('UNLINK', KEYS[i]) end end
return 1`,
  (
    call,
    [leaseKey = "", base = "", target = "", ...evicted],
    [token = "", expected = "", index = "", value = "", ttlMs = ""],
  ) => {
    if (!leased(call, leaseKey, token)) return 0;
    if (expected.length > 0) {
      const stored = call("GET", base);
      if (!same(stored, expected)) return stored ?? 0;
    }
    if (index.length > 0) {
      const leftMs = expected.length > 0 ? Number(call("PTTL", base)) : 0;
      call("SET", base, index, "PX", String(Math.max(leftMs, Number(text(ttlMs)))));
    } else if (base !== target) outlive(call, base, Number(text(ttlMs)));
    call("SET", target, value, "PX", ttlMs);
    const left = leaseKey === base || leaseKey === target ? evicted : [leaseKey, ...evicted];
    for (const key of left) if (key !== target) call("UNLINK", key);
    return 1;
  },
);

/**
 * Deletes what is stored under a URL, all its variants too, and every lease on it.
 * ARGV: what the keys of variants begin with. Reply: how many responses were stored.
 */
export const PURGE: Script = /* @__PURE__ */ script(
  "http purge url",
  `local function unlink(key)
  local what, head = inspect(key)
  redis.call('UNLINK', key)
  return string.sub(head, 57, 57) == 'R' and (what == 'fresh' or what == 'stale') and 1 or 0
end
local what, head = inspect(KEYS[1])
if what == 'none' then return 0 end
if what == 'plain' or string.sub(head, 57, 57) ~= 'I' then return unlink(KEYS[1]) end
local text = redis.call('GETRANGE', KEYS[1], 56, -1)
local generation = string.sub(text, 2, 13)
local purged = 0
for hash in string.gmatch(string.sub(text, (string.find(text, '\\n\\n', 1, true) or 0) + 2), '[^\\n]+') do
  purged = purged + unlink(ARGV[1] .. generation .. ':' .. hash)
end
redis.call('UNLINK', KEYS[1])
return purged`,
  (call, [key = ""], [stem = ""]) => {
    const { kind, head } = inspect(call, key);
    if (kind === "none") return 0;
    if (kind === "plain" || head[56] !== "I") return unlink(call, key);
    const index = text(call("GETRANGE", key, "56", "-1"));
    const generation = index.slice(1, 13);
    let purged = 0;
    for (const hash of index.slice(index.indexOf("\n\n") + 2).split("\n")) {
      if (hash !== "") purged += unlink(call, `${text(stem)}${generation}:${hash}`);
    }
    call("UNLINK", key);
    return purged;
  },
);

/** @returns 1 if there was a response */
function unlink(call: Call, key: string): number {
  const { kind, head } = inspect(call, key);
  call("UNLINK", key);
  return head[56] === "R" && (kind === "fresh" || kind === "stale") ? 1 : 0;
}

/**
 * Makes what is stored under a URL, all its variants too, stale at once, and what is under way for it unstorable.
 * ARGV: what the keys of variants begin with; a new generation. Reply: how many responses were stored.
 */
export const SOFTEN: Script = /* @__PURE__ */ script(
  "http soften",
  `local function soften(key)
  local what, head = inspect(key)
  if (what ~= 'fresh' and what ~= 'stale') or string.sub(head, 57, 57) ~= 'R' then redis.call('UNLINK', key) return 0 end
  redis.call('SETRANGE', key, 29, NO_TOKEN .. string.rep('0', 15))
  redis.call('SETRANGE', key, 57, '!')
  return 1
end
local what, head = inspect(KEYS[1])
if what == 'none' then return 0 end
if string.sub(head, 57, 57) ~= 'I' then return soften(KEYS[1]) end
local text = redis.call('GETRANGE', KEYS[1], 56, -1)
local generation = string.sub(text, 2, 13)
local softened = 0
for hash in string.gmatch(string.sub(text, string.find(text, '\\n\\n', 1, true) + 2), '[^\\n]+') do
  local old = ARGV[1] .. generation .. ':' .. hash
  if redis.call('EXISTS', old) == 1 and soften(old) == 1 then
    redis.call('RENAME', old, ARGV[1] .. ARGV[2] .. ':' .. hash)
    softened = softened + 1
  end
end
redis.call('SETRANGE', KEYS[1], 57, ARGV[2])
return softened`,
  (call, [key = ""], [stem = "", generation = ""]) => {
    const { kind, head } = inspect(call, key);
    if (kind === "none") return 0;
    if (head[56] !== "I") return soften(call, key);
    const index = text(call("GETRANGE", key, "56", "-1"));
    const old = index.slice(1, 13);
    let softened = 0;
    for (const hash of index.slice(index.indexOf("\n\n") + 2).split("\n")) {
      const variant = `${text(stem)}${old}:${hash}`;
      if (call("EXISTS", variant) !== 1 || soften(call, variant) !== 1) continue;
      call("RENAME", variant, `${text(stem)}${text(generation)}:${hash}`);
      softened++;
    }
    call("SETRANGE", key, "57", generation);
    return softened;
  },
);

function soften(call: Call, key: string): number {
  const { kind, head } = inspect(call, key);
  if ((kind !== "fresh" && kind !== "stale") || head[56] !== "R") {
    call("UNLINK", key);
    return 0;
  }
  call("SETRANGE", key, "29", NO_TOKEN + "0".repeat(15));
  call("SETRANGE", key, "57", "!");
  return 1;
}
