import type { HttpOutcome } from "../../core/event-types.js";
import { ageSeconds } from "./age.js";
import { type Fields, fieldValue, withField } from "./message.js";
import { serializeName, serializeText } from "./structured.js";

/** Why a request went to the origin. RFC 9211 §2.2. */
export type ForwardReason = Exclude<HttpOutcome, "hit">;

/** How the cache handled a request. RFC 9211 §2. */
export interface Handling {
  /** `"hit"`, or why the request went forward. */
  readonly how: HttpOutcome;
  /** What is left of the lifetime, in milliseconds; below zero when stale. */
  readonly ttlMs?: number | undefined;
  /** The origin's status, where it is not the one that the client gets. */
  readonly forwardedStatus?: number | undefined;
  readonly stored?: boolean | undefined;
  /** `true` when another request's response was used, `false` when waiting for it was in vain. */
  readonly collapsed?: boolean | undefined;
  /** Only to be given where clients may know it. */
  readonly key?: string | undefined;
  /** For people: a word or a sentence. */
  readonly detail?: string | undefined;
}

/** Writes the list member of the cache `name`, which is serialized once. */
export function cacheStatus(name: string): (handling: Handling) => string {
  const serializedName = serializeName(name);
  return (handling) => [serializedName, ...parameters(handling)].join("; ");
}

function* parameters(handling: Handling): Iterable<string> {
  const isForwarded = handling.how !== "hit";
  yield isForwarded ? `fwd=${handling.how}` : "hit";
  if (isForwarded && handling.forwardedStatus !== undefined) yield `fwd-status=${handling.forwardedStatus}`;
  if (handling.ttlMs !== undefined) yield `ttl=${ttlSeconds(handling.ttlMs)}`;
  if (isForwarded && handling.stored) yield "stored";
  if (isForwarded && handling.collapsed !== undefined) yield handling.collapsed ? "collapsed" : "collapsed=?0";
  if (handling.key !== undefined) yield `key=${serializeText(handling.key)}`;
  if (handling.detail !== undefined) yield `detail=${serializeName(handling.detail)}`;
}

/** Rounded down, so that what is stale is never shown as fresh, nor as just expired. */
function ttlSeconds(ttlMs: number): number {
  return ttlMs >= 0 ? ageSeconds(ttlMs) : -ageSeconds(-ttlMs) - (-ttlMs % 1_000 === 0 ? 0 : 1);
}

/** Adds a member after those of the caches that are nearer to the origin. RFC 9211 §2. */
export function appendCacheStatus(fields: Fields, member: string): Fields {
  const others = fieldValue(fields, "cache-status");
  return withField(fields, "cache-status", others ? `${others}, ${member}` : member);
}
