import { NO_TOKEN } from "../../codec/envelope.js";
import type { Argument, Reply } from "../../core/command.js";
import type { Script } from "../../core/script.js";
import { toBytes } from "../../core/text.js";
import { digits, look, now, number, script, text } from "./entry.js";
import { HOLDS, holds, lease } from "./held.js";

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
