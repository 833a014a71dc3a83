import type { Reply, Script, Twin, Twins } from "../core/connection.js";
import { CHANGES_CHANNEL } from "../core/near.js";
import { script, text } from "../lease/state.js";

/*
 * The purge log of a cache is one sorted set. A member stands for the last purge of one label, and its score is the number of
 * that purge, so purges of one label leave no more than one record of each kind:
 *
 *   0–11  the label
 *   12    what the purge ends, and how; see KINDS
 *
 * Numbers only grow: the last one + 1, or the server's time in microseconds if that is more. So a log that has lost its end in
 * a failover does not give the lost numbers to other purges.
 *
 * A purge of what has all of several labels can't be found by one of them, so it has a record of its own: "&", the labels in
 * order, and the kind; its score is the number below zero. These are read as a whole, when one was added. Further members:
 *
 *   =…    the log's epoch, which is random and drawn when the log is begun; its score is +inf, so every read of the end has it
 *   -     its score is the floor: the number up to which purges were dropped
 *   &     its score is the number of the last purge of several labels together
 *   ~     its score is the number up to which such purges were dropped
 */

/** What reads the log: the data API or the HTTP cache. */
export type Reader = "data" | "http";

export function isReader(value: unknown): value is Reader {
  return value === "data" || value === "http";
}

/** The last character of a record, by its readers. */
const KINDS = {
  all: { hard: "h", soft: "s" },
  data: { hard: "d", soft: "e" },
  http: { hard: "w", soft: "x" },
} as const;

/** The kinds that a reader looks for. */
export const KINDS_FOR: Readonly<Record<Reader, Readonly<Record<"hard" | "soft", readonly string[]>>>> = {
  data: { hard: [KINDS.all.hard, KINDS.data.hard], soft: [KINDS.all.soft, KINDS.data.soft] },
  http: { hard: [KINDS.all.hard, KINDS.http.hard], soft: [KINDS.all.soft, KINDS.http.soft] },
};

export const ALL_KINDS: readonly string[] = Object.values(KINDS).flatMap(({ hard, soft }) => [hard, soft]);

export const LABEL_LENGTH = 12;

/** The record of a purge. @param only whose entries it ends; all, if absent */
export function recordOf(label: string, soft: boolean, only: Reader | undefined): string {
  return label + KINDS[only ?? "all"][soft ? "soft" : "hard"];
}

/** The record of a purge of what has all of these labels. */
export function recordOfAll(labels: readonly string[], soft: boolean, only: Reader | undefined): string {
  return recordOf(`&${[...labels].sort().join("")}`, soft, only);
}

/** How many purges of several labels together a log has at most. */
export const MAX_TOGETHER = 1_000;

/** A purge of what has all of some labels. */
export interface Together {
  readonly labels: readonly string[];
  readonly kind: string;
  readonly number: number;
}

/** @param reply the members below zero with their scores */
export function readTogether(reply: Reply): Together[] {
  return pairsOf(reply).map(([member, score]) => ({
    labels: member.slice(1, -1).match(/.{12}/g) ?? [],
    kind: member.slice(-1),
    number: -score,
  }));
}

/** The end of a log, as it was read. */
export interface Tail {
  /** Absent when there is no log. */
  readonly epoch: string | undefined;
  /** 0 when nothing was dropped, or the read has not come so far. */
  readonly floor: number;
  /** The number of the last purge of several labels together; 0 when there was none, or the read has not come so far. */
  readonly together: number;
  /** How many members there were, and the lowest number of one. */
  readonly length: number;
  readonly lowest: number;
  /** The newest first. */
  readonly purges: readonly (readonly [record: string, number: number])[];
}

/** Members with their scores, which come in turn or in pairs, as numbers or texts, as the transport has them. */
function pairsOf(reply: Reply): [member: string, score: number][] {
  const parts: Reply[] = Array.isArray(reply) ? reply.flat() : [];
  const pairs: [string, number][] = [];
  for (let i = 0; i < parts.length; i += 2) {
    pairs.push([text(parts[i] ?? null), Number(text(parts[i + 1] ?? null))]);
  }
  return pairs;
}

/** @param reply members with their scores, the newest first; or the records of one purge, each with its number */
export function readTail(reply: Reply): Tail {
  const pairs = pairsOf(reply);
  let epoch: string | undefined;
  let [floor, together] = [0, 0];
  const purges: [string, number][] = [];
  for (const [member, score] of pairs) {
    if (member.startsWith("=")) epoch = member.slice(1);
    else if (member === "-") floor = score;
    else if (member.startsWith("&")) together = score;
    else if (member !== "~") purges.push([member, score]);
  }
  return { epoch, floor, together, purges, length: pairs.length, lowest: pairs.at(-1)?.[1] ?? 0 };
}

/**
 * Appends a purge of some labels, and begins the log where there is none. A log that is too long drops its oldest records.
 * It publishes what it has appended, for near caches: see `Feed`.
 * ARGV: an epoch for a new log; how many members it may have; records, or none to only begin the log. Reply: the epoch of
 * a log that is only begun; else a number, or null where the purge could not be published.
 */
export const APPEND: Script = script(
  "purge",
  `local log = KEYS[1]
local last = redis.call('ZREVRANGEBYSCORE', log, '+inf', '(0', 'WITHSCORES', 'LIMIT', 0, 2)
local epoch = last[1] and string.sub(last[1], 2) or ARGV[1]
if not last[1] then redis.call('ZADD', log, '+inf', '=' .. epoch) end
if #ARGV == 2 then return epoch end
local micros = redis.call('TIME')
local number = math.max(tonumber(last[4] or 0) + 1, micros[1] * 1000000 + micros[2])
number = string.format('%.0f', number)
for i = 3, #ARGV do
  if string.sub(ARGV[i], 1, 1) == '&' then
    redis.call('ZADD', log, '-' .. number, ARGV[i])
    redis.call('ZADD', log, number, '&')
    local old = redis.call('ZRANGEBYSCORE', log, '-inf', '(0', 'WITHSCORES', 'LIMIT', ${MAX_TOGETHER}, 1)
    if old[2] then
      redis.call('ZREMRANGEBYSCORE', log, old[2], '(0')
      redis.call('ZADD', log, string.sub(old[2], 2), '~')
    end
  else
    redis.call('ZADD', log, number, ARGV[i])
  end
end
local surplus = redis.call('ZCARD', log) - ARGV[2]
if surplus > 0 then
  local index = surplus + math.floor(ARGV[2] / 1024) - 1
  local cut = redis.call('ZRANGEBYSCORE', log, '(0', '(' .. number, 'WITHSCORES', 'LIMIT', index, 1)
  if cut[2] then
    redis.call('ZREMRANGEBYSCORE', log, '(0', cut[2])
    redis.call('ZADD', log, cut[2], '-')
  end
end
local message = epoch .. ' ' .. (last[4] or 0) .. ' ' .. number .. ' ' .. table.concat(ARGV, ' ', 3)
return tonumber(redis.pcall('PUBLISH', '${CHANGES_CHANNEL}' .. log, message))`,
);

/** The steps of `APPEND` in JavaScript. In front of the memory transport there is no near cache that would hear of it. */
const append: Twin = (call, [log = ""], [newEpoch = "", most = "0", ...records]) => {
  const list = (reply: Reply): string[] => (Array.isArray(reply) ? reply.flat().map(text) : []);
  const [epochMember, , , last = "0"] = list(
    call("ZREVRANGEBYSCORE", log, "+inf", "(0", "WITHSCORES", "LIMIT", "0", "2"),
  );
  const epoch = epochMember?.slice(1) ?? text(newEpoch);
  if (epochMember === undefined) call("ZADD", log, "+inf", `=${epoch}`);
  if (records.length === 0) return epoch;
  const [seconds = "0", micros = "0"] = list(call("TIME"));
  const number = String(Math.max(Number(last) + 1, Number(seconds) * 1_000_000 + Number(micros)));
  for (const record of records) {
    if (!text(record).startsWith("&")) {
      call("ZADD", log, number, record);
      continue;
    }
    call("ZADD", log, `-${number}`, record);
    call("ZADD", log, number, "&");
    const [, old] = list(call("ZRANGEBYSCORE", log, "-inf", "(0", "WITHSCORES", "LIMIT", String(MAX_TOGETHER), "1"));
    if (old !== undefined) {
      call("ZREMRANGEBYSCORE", log, old, "(0");
      call("ZADD", log, old.slice(1), "~");
    }
  }
  const surplus = Number(call("ZCARD", log)) - Number(text(most));
  if (surplus > 0) {
    const index = surplus + Math.floor(Number(text(most)) / 1_024) - 1;
    const [, floor] = list(call("ZRANGEBYSCORE", log, "(0", `(${number}`, "WITHSCORES", "LIMIT", String(index), "1"));
    if (floor !== undefined) {
      call("ZREMRANGEBYSCORE", log, "(0", floor);
      call("ZADD", log, floor, "-");
    }
  }
  return epoch;
};

/** The twins of the scripts of this file. */
export const purgeTwins: Twins = new Map([[APPEND, append]]);
