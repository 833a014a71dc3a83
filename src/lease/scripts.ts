import { FOREVER, NO_TOKEN, SOFT_BELOW, staleFromMs } from "../codec/envelope.js";
import type { Script, Twin, Twins } from "../core/connection.js";
import { digits, extend, inspect, leased, now, number, same, script, text } from "./state.js";

/*
 * The steps of the lease protocol, as scripts. KEYS[1] is the entry on which the lease is. Each script that ends or
 * extends a lease first compares the token in the entry with the caller's own, and replies 0 when they differ.
 */

/**
 * Takes the lease on an entry that has a value. ARGV: the fresh-until that the caller read; the token; the lease in ms;
 * `1` to take it also in the pause after a failed load. Reply: 1; 0 when another caller holds it or has refreshed the entry.
 */
export const CLAIM: Script = {
  ...script(
    "claim",
    `local what, head = inspect(KEYS[1])
if what ~= 'fresh' and what ~= 'stale' then return 0 end
if string.sub(head, 5, 19) ~= ARGV[1] then return 0 end
local ignored = ARGV[4] == '1' and string.sub(head, 30, 41) == NO_TOKEN
if number(string.sub(head, 42, 56)) > now() and not ignored then return 0 end
redis.call('SETRANGE', KEYS[1], 29, ARGV[2])
extend(tonumber(ARGV[3]))
return 1`,
  ),
  // One of many callers takes it. What the other processes know of the entry is right until the change reaches them.
  unchanged: 0,
};

const claimTwin: Twin = (call, [key = ""], [freshUntil = "", token = "", leaseMs = "0", inPause = ""]) => {
  const { kind, head } = inspect(call, key);
  if (kind !== "fresh" && kind !== "stale") return 0;
  if (head.slice(4, 19) !== text(freshUntil)) return 0;
  const ignored = inPause === "1" && head.slice(29, 41) === NO_TOKEN;
  if (number(head.slice(41, 56)) > now(call) && !ignored) return 0;
  call("SETRANGE", key, "29", token);
  extend(call, key, Number(text(leaseMs)));
  return 1;
};

/**
 * Reads an entry, or takes the lease on it when there is none: what `SET NX GET` does on servers that have it.
 * ARGV: the placeholder; the lease in ms. Reply: what was stored; null when the lease was taken.
 */
export const READ_OR_CLAIM: Script = {
  name: "read or claim",
  lua: `local stored = redis.call('GET', KEYS[1])
if not stored then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return stored`,
};

const readOrClaimTwin: Twin = (call, [key = ""], [placeholder = "", leaseMs = "0"]) => {
  const stored = call("GET", key);
  if (stored === null) call("SET", key, placeholder, "PX", leaseMs);
  return stored;
};

/**
 * Replaces an unreadable entry by a placeholder. ARGV: the unreadable bytes; the placeholder; the lease in ms.
 * Reply: 1; 0 when the entry has changed.
 */
export const SEIZE: Script = {
  name: "seize",
  lua: `if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`,
};

const seizeTwin: Twin = (call, [key = ""], [unreadable = "", placeholder = "", leaseMs = "0"]) => {
  if (call("TYPE", key) !== "string" || !same(call("GET", key), unreadable)) return 0;
  call("SET", key, placeholder, "PX", leaseMs);
  return 1;
};

/** Stores a value. ARGV: token; value; lifetime in ms, or empty for no expiry. Reply: 1; 0 when the lease is lost. */
export const PUBLISH: Script = /* @__PURE__ */ script(
  "publish",
  `if not leased(ARGV[1]) then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1`,
);

const publishTwin: Twin = (call, [key = ""], [token = "", value = "", ttlMs = ""]) => {
  if (!leased(call, key, token)) return 0;
  call("SET", key, value, ...(ttlMs === "" ? [] : ["PX", ttlMs]));
  return 1;
};

/** Extends the lease. ARGV: token; the lease in ms from now. Reply: 1; 0 when the lease is lost. */
export const RENEW: Script = /* @__PURE__ */ script(
  "renew",
  `if not leased(ARGV[1]) then return 0 end
extend(tonumber(ARGV[2]))
return 1`,
);

const renewTwin: Twin = (call, [key = ""], [token = "", leaseMs = "0"]) => {
  if (!leased(call, key, token)) return 0;
  extend(call, key, Number(text(leaseMs)));
  return 1;
};

/** Deletes the entry. ARGV: token. Reply: 1; 0 when the lease is lost. */
export const DROP: Script = /* @__PURE__ */ script(
  "drop",
  `if not leased(ARGV[1]) then return 0 end
redis.call('UNLINK', KEYS[1])
return 1`,
);

const dropTwin: Twin = (call, [key = ""], [token = ""]) =>
  leased(call, key, token) === undefined ? 0 : call("UNLINK", key);

/**
 * Gives the lease up. A placeholder is deleted. A value keeps its lifetime, and can't be claimed during a pause.
 * ARGV: token; the pause in ms; the grace in ms. Reply: 1; 0 when the lease is lost.
 */
export const YIELD: Script = /* @__PURE__ */ script(
  "yield",
  `local head = leased(ARGV[1])
if not head then return 0 end
if #head < 57 then redis.call('UNLINK', KEYS[1]) return 1 end
redis.call('SETRANGE', KEYS[1], 29, NO_TOKEN .. string.format('%015.0f', now() + ARGV[2]))
local fresh = number(string.sub(head, 5, 19))
if fresh < ${SOFT_BELOW} then fresh = fresh * 1000 end
if fresh ~= ${FOREVER} then redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', fresh + ARGV[3])) end
return 1`,
);

const yieldTwin: Twin = (call, [key = ""], [token = "", pauseMs = "0", graceMs = "0"]) => {
  const head = leased(call, key, token);
  if (!head) return 0;
  if (head.length < 57) {
    call("UNLINK", key);
    return 1;
  }
  call("SETRANGE", key, "29", NO_TOKEN + digits(now(call) + Number(text(pauseMs))));
  const staleMs = staleFromMs({ freshUntilMs: number(head.slice(4, 19)) });
  if (staleMs !== FOREVER) call("PEXPIREAT", key, String(staleMs + Number(text(graceMs))));
  return 1;
};

/** The twins of these scripts. */
export const leaseTwins: Twins = new Map([
  [READ_OR_CLAIM, readOrClaimTwin],
  [CLAIM, claimTwin],
  [PUBLISH, publishTwin],
  [RENEW, renewTwin],
  [DROP, dropTwin],
  [YIELD, yieldTwin],
  [SEIZE, seizeTwin],
]);
