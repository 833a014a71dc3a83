import type { Attributes } from "@opentelemetry/api";
import type { Method } from "../cache/outcomes.js";
import { CacheError, ReplyError } from "../core/errors.js";
import type { CallEvent } from "../core/event-types.js";
import type { EventSource } from "../core/events.js";

/** The instrumentation scope of all metrics and spans. */
export const SCOPE = "valkey-edge-cache";

/** An error's class, or the code of a server's error reply. Never a message, as those may contain keys. */
export function errorType(error: unknown): string {
  if (error instanceof ReplyError) return /^[A-Z][A-Z0-9_]{0,31}$/.test(error.code) ? error.code : "ERR";
  if (error instanceof CacheError) return error.name;
  // A name that is no identifier may be made of anything.
  return error instanceof Error && /^[A-Za-z]\w{0,63}$/.test(error.name) ? error.name : "_OTHER";
}

/**
 * What the conventions for Redis say of a round trip; OpenTelemetry has none for Valkey yet.
 * Source: https://opentelemetry.io/docs/specs/semconv/db/redis/
 */
export function operationOf(commands: readonly string[]): Attributes & { readonly "db.operation.name": string } {
  const [first = ""] = commands;
  const size = commands.length;
  if (size === 1) {
    if (!first.startsWith("script ")) return { "db.operation.name": first };
    return { "db.operation.name": "EVALSHA", "db.stored_procedure.name": first.slice("script ".length) };
  }
  return { "db.operation.name": commands.every((one) => one === first) ? `PIPELINE ${first}` : "PIPELINE" };
}

/** The server, for all round trips of a cache. The conventions leave out the default port. */
export function serverOf({ server }: EventSource): Attributes {
  if (!server) return { "db.system.name": "redis" };
  const port = server.port === undefined || server.port === 6379 ? {} : { "server.port": server.port };
  return { "db.system.name": "redis", "server.address": server.address, ...port };
}

/** What a call has found, for Sentry's Caches view and for other backends. Set when it ends. */
export function foundBy({ hits, misses, stale, bytes, count, error }: CallEvent): Attributes {
  const looked = hits + misses + stale > 0;
  return {
    "cache.success": error === undefined,
    ...(looked && { "cache.hit": misses === 0 }),
    ...(looked && count > 1 && { "cache.hits": hits, "cache.misses": misses }),
    ...(stale > 0 && { "cache.stale": stale }),
    ...(bytes > 0 && { "cache.item_size": bytes }),
  };
}

/** The first error reply of a round trip. */
export function refusalIn(result: unknown): Attributes | undefined {
  const refusal = Array.isArray(result) ? result.find((reply) => reply instanceof ReplyError) : undefined;
  if (!refusal) return undefined;
  const type = errorType(refusal);
  return { "db.response.status_code": type, "error.type": type };
}

/** 64 bits of a key, as text: two hashes of the kind of FNV-1a. The same in all processes. */
export function hash(key: string): string {
  let high = 0x811c9dc5;
  let low = 0x01000193;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x85ebca6b);
  }
  return [high, low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}

/** The operation of a method in Sentry's Caches view. Methods that neither read nor change values have none. */
export function sentryOperation(method: string): string | undefined {
  const operations: Readonly<Record<string, string | undefined>> = OPERATIONS;
  return operations[method];
}

/** Source: https://develop.sentry.dev/sdk/telemetry/traces/modules/caches/ */
const OPERATIONS: Readonly<Record<Method, "cache.get" | "cache.put" | "cache.remove" | "cache.flush" | undefined>> = {
  get: "cache.get",
  getMany: "cache.get",
  mget: "cache.get",
  getOrSet: "cache.get",
  getOrSetMany: "cache.get",
  has: "cache.get",
  "sets.has": "cache.get",
  "sets.hasMany": "cache.get",
  "sets.members": "cache.get",
  "sets.difference": "cache.get",
  "sets.intersection": "cache.get",
  "sets.union": "cache.get",
  "sets.random": "cache.get",
  "hashes.get": "cache.get",
  "hashes.getAll": "cache.get",
  "hashes.has": "cache.get",
  set: "cache.put",
  add: "cache.put",
  setMany: "cache.put",
  mset: "cache.put",
  incr: "cache.put",
  decr: "cache.put",
  incrVersion: "cache.put",
  decrVersion: "cache.put",
  touch: "cache.put",
  expire: "cache.put",
  expireAt: "cache.put",
  expireSoft: "cache.put",
  expireSoftMany: "cache.put",
  persist: "cache.put",
  "sets.add": "cache.put",
  "sets.move": "cache.put",
  "sets.differenceStore": "cache.put",
  "sets.intersectionStore": "cache.put",
  "sets.unionStore": "cache.put",
  "hashes.set": "cache.put",
  delete: "cache.remove",
  deleteMany: "cache.remove",
  deletePattern: "cache.remove",
  "sets.delete": "cache.remove",
  "sets.pop": "cache.remove",
  "hashes.delete": "cache.remove",
  purgeTags: "cache.remove",
  clear: "cache.flush",
  flush: "cache.flush",
  ttl: undefined,
  keys: undefined,
  iterKeys: undefined,
  lock: undefined,
  "sets.size": undefined,
  "sets.scan": undefined,
  "sets.iterate": undefined,
  "hashes.size": undefined,
  "hashes.fields": undefined,
};
