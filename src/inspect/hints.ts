import type { Cache } from "../cache/cache.js";
import type { Command } from "../core/connection.js";
import { show } from "../core/errors.js";
import type { Inspected } from "./entry.js";
import { count } from "./figures.js";
import { namespaceText, type ParsedKey } from "./keys.js";
import { numberIn } from "./read.js";
import type { Reading } from "./reading.js";

/** What to look at or do. */
export interface Hints {
  readonly hints: readonly string[];
  /** Why the server would not store a value. */
  readonly unwritable: string | undefined;
}

/** How many versions on each side of the cache's own are looked at. */
const NEIGHBOURS = 5;

/** Hints on one entry. A missing one costs one more round trip. @throws {ConnectionError} */
export async function hintsFor(cache: Cache, inspected: Inspected, reading: Reading): Promise<Hints> {
  const hints = [...codecHints(inspected), ...nearHints(cache), ...keyHints(cache, inspected)];
  if (reading.is !== "missing") return { hints, unwritable: undefined };
  const more = await missingHints(cache, inspected);
  return { ...more, hints: [...more.hints, ...hints] };
}

async function missingHints(cache: Cache, { key, raw }: Inspected): Promise<Hints> {
  const elsewhere = neighbours(cache, key, raw.storedKey);
  const commands: Command[] = [
    ...elsewhere.map(({ storedKey }): Command => ["EXISTS", storedKey]),
    ["INFO", "stats"],
    ["INFO", "memory"],
    ["INFO", "replication"],
  ];
  const replies = await cache.connection.send(commands, { readOnly: true, primary: true });
  const hints = elsewhere.filter((_one, i) => numberIn(replies[i] ?? null) === 1).map(({ says }) => says);
  const info = infoOf(replies.slice(elsewhere.length));
  const evicted = Number(info.get("evicted_keys") ?? 0);
  const policy = info.get("maxmemory_policy") ?? "unknown";
  if (evicted > 0) {
    hints.push(
      `The server has evicted ${count(evicted, "key")} since its start, under the policy ${policy}: this may have been one of them; give it more memory.`,
    );
  }
  // A key that was never written looks the same, so this is said only when nothing else is known.
  if (hints.length === 0 && key.version !== undefined) {
    const { prefix } = cache.parts.settings;
    hints.push(
      `If another process has written the key, compare its keyPrefix and version with those here: ${show(prefix)} and ${key.version}.`,
    );
  }
  return { hints, unwritable: unwritable(info) };
}

function unwritable(info: ReadonlyMap<string, string>): string | undefined {
  if (info.get("role") === "slave") return "The server is a replica, which refuses writes";
  const [limit, used] = [Number(info.get("maxmemory") ?? 0), Number(info.get("used_memory") ?? 0)];
  const isFull = limit > 0 && used >= limit && info.get("maxmemory_policy") === "noeviction";
  return isFull ? "The server's memory is full, and its policy noeviction has it refuse writes" : undefined;
}

function infoOf(replies: readonly unknown[]): Map<string, string> {
  const info = new Map<string, string>();
  for (const reply of replies) {
    if (!(reply instanceof Uint8Array) && typeof reply !== "string") continue;
    const lines = typeof reply === "string" ? reply : new TextDecoder().decode(reply);
    for (const line of lines.split("\r\n")) {
      const at = line.indexOf(":");
      if (at > 0) info.set(line.slice(0, at), line.slice(at + 1));
    }
  }
  return info;
}

/** A stored key to look at, and what it means that there is an entry. */
interface Neighbour {
  readonly storedKey: string;
  readonly says: string;
}

/** Where else a key may be that is missing: in other versions, and as the stored key that it may have been given as. */
function neighbours(cache: Cache, { key, version, namespaces }: ParsedKey, storedKey: string): Neighbour[] {
  if (key === undefined || version === undefined) return [];
  const { prefix, keyFunction } = cache.parts.settings;
  const found: Neighbour[] = [];
  for (let other = version - NEIGHBOURS; other <= version + NEIGHBOURS; other++) {
    const says = `The key exists in version ${other}, and this is version ${version}.`;
    try {
      found.push({ storedKey: keyFunction(namespaceText(namespaces) + key, prefix, other), says });
    } catch {
      // The user's key function has no such version.
    }
  }
  const isStored = `${show(key)} is itself a stored key: give it as such, as a prefix and a version were put before it.`;
  if (key !== "") found.push({ storedKey: key, says: isStored });
  return found.filter((one) => one.storedKey !== storedKey);
}

function codecHints({ found, report }: Inspected): string[] {
  if (!found.unreadable || !report.value || report.value.isOwnCodec) return [];
  const { codec, error } = report.value;
  if (error === undefined)
    return [`The value was written by ${codec}: give the cache that serializer, or delete the key.`];
  return codec === "unknown" ? [] : [`The value seems to be ${codec}: ${error}.`];
}

function nearHints({ parts }: Cache): string[] {
  const health = parts.settings.near?.health();
  if (!health || health.invalidation === "ttl" || health.listening) return [];
  return [
    "The near cache of this process is not listening for changes now: its reads go to the server, or answer what it has stored.",
  ];
}

function keyHints({ parts }: Cache, { key }: Inspected): string[] {
  if (key.of !== "other") return [];
  return [
    `The stored key does not begin with the prefix ${show(parts.settings.prefix)}: another application or cache may have written it.`,
  ];
}
