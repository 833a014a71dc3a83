import type { Script } from "../../core/script.js";
import { text } from "./entry.js";

/** Deletes KEYS[1] while it is the token ARGV[1]. Reply: 1 or 0. */
export const RELEASE: Script = {
  name: "release",
  lua: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`,
  twin: (call, [key = ""], [token = ""]) => (text(call("GET", key)) === text(token) ? call("DEL", key) : 0),
};

/** Gives KEYS[1] ARGV[2] milliseconds from now while it is the token ARGV[1]. Reply: 1 or 0. */
export const EXTEND: Script = {
  name: "extend",
  lua: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`,
  twin: (call, [key = ""], [token = "", ttlMs = "0"]) =>
    text(call("GET", key)) === text(token) ? call("PEXPIRE", key, ttlMs) : 0,
};
