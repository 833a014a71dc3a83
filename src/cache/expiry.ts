import type { CacheCall } from "../core/events.js";
import type { Key } from "../core/key.js";
import { type Duration, systemClock, toMs } from "../core/time.js";
import { toMoment, toTtlMs } from "./arguments.js";
import type { KeyOptions } from "./method-options.js";
import type { CacheParts } from "./parts.js";

/** `ttl`. */
export function remaining(
  { calls, client }: CacheParts,
  key: Key,
  options: KeyOptions,
): Promise<number | null | undefined> {
  return calls.onKey<number | null | undefined>("ttl", key, options, undefined, async (stored) => {
    const leftMs = await client.pttl(stored);
    return typeof leftMs === "number" ? leftMs / 1_000 : leftMs;
  });
}

/** `touch`. */
export function touch(
  { calls, client, settings }: CacheParts,
  key: Key,
  ttl: Duration | null | undefined,
  options: KeyOptions,
): Promise<boolean> {
  return calls.onKey("touch", key, options, false, (stored, call) => {
    const ttlMs = toTtlMs(ttl, settings.ttlMs);
    return changeLifetime(client.touch(stored, ttlMs), ttlMs !== null && ttlMs <= 0, call);
  });
}

/** `expire`. */
export function expire({ calls, client }: CacheParts, key: Key, ttl: Duration, options: KeyOptions): Promise<boolean> {
  return calls.onKey("expire", key, options, false, (stored, call) => {
    const ttlMs = toMs(ttl, "ttl");
    return changeLifetime(client.touch(stored, ttlMs), ttlMs <= 0, call);
  });
}

/** `expireAt`. */
export function expireAt(
  { calls, client }: CacheParts,
  key: Key,
  at: Date | number,
  options: KeyOptions,
): Promise<boolean> {
  return calls.onKey("expireAt", key, options, false, (stored, call) => {
    const atMs = toMoment(at);
    return changeLifetime(client.expireAt(stored, atMs), atMs <= systemClock.now(), call);
  });
}

/** `expireSoft`. */
export function expireSoft({ calls, client }: CacheParts, key: Key, options: KeyOptions): Promise<boolean> {
  return calls.onKey("expireSoft", key, options, false, async (stored) => (await client.expireSoft([stored])) > 0);
}

/** `persist`. */
export function persist({ calls, client }: CacheParts, key: Key, options: KeyOptions): Promise<boolean> {
  return calls.onKey("persist", key, options, false, (stored) => client.persist(stored));
}

/** Records the deletion of an entry whose new lifetime is over. */
async function changeLifetime(
  change: Promise<boolean>,
  isOver: boolean,
  call: CacheCall | undefined,
): Promise<boolean> {
  const wasThere = await change;
  if (isOver) call?.changed("delete", Number(wasThere));
  return wasThere;
}
