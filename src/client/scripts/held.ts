import type { Argument } from "../../core/command.js";
import type { Call } from "../../core/script.js";
import { digits, look, now, text } from "./entry.js";

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
