import type { Codec } from "../../codec/codec.js";
import {
  type Encoded,
  type Envelope,
  FOREVER,
  type Header,
  isEnvelope,
  NO_TOKEN,
  readEnvelope,
  seal,
  staleFromMs,
} from "../../codec/envelope.js";
import { isTagged } from "../../codec/tagged.js";
import type { Reply } from "../../core/connection.js";
import type { Clock } from "../../core/time.js";
import type { ClientContext } from "../client.js";
import { payloadOf, type Stored, toStored } from "../key-commands.js";
import type { HerdSettings } from "./options.js";

/**
 * Whether to refresh a fresh entry now: the chance grows towards expiry with the cost of the load.
 * Source: Vattani et al., VLDB 2015, §3 (XFetch).
 *
 * Every reader in the fleet draws, so with many readers one of them draws a long lead. A lead longer than the load gains
 * nothing, because the load ends before the expiry. So the lead is limited to the load's duration, times β if that is above 1.
 */
export function refreshesEarly(
  { freshUntilMs, deltaMs }: Pick<Header, "freshUntilMs" | "deltaMs">,
  beta: number,
  clock: Pick<Clock, "now" | "random">,
): boolean {
  if (beta <= 0 || deltaMs <= 0) return false;
  const lead = Math.min(-beta * Math.log(clock.random()), Math.max(1, beta));
  return clock.now() + deltaMs * lead >= freshUntilMs;
}

/** Whether `refreshesEarly` may draw a refresh. */
export function mayRefreshEarly(
  { freshUntilMs, deltaMs }: Pick<Header, "freshUntilMs" | "deltaMs">,
  beta: number,
  clock: Pick<Clock, "now">,
): boolean {
  return beta > 0 && deltaMs > 0 && clock.now() + deltaMs * Math.max(1, beta) >= freshUntilMs;
}

/** The delta to store. Limited to a tenth of the lifetime, so that early refreshes begin in its last tenth. */
export function boundedDelta(deltaMs: number, ttlMs: number | null): number {
  return ttlMs === null ? deltaMs : Math.min(deltaMs, ttlMs / 10);
}

/** A value in an envelope, with the lifetime of the stored key: the ttl plus the grace. */
export function sealed(
  { clock, codec }: ClientContext,
  { jitter, graceMs }: HerdSettings,
  encoded: Encoded,
  ttlMs: number | null,
  deltaMs: number,
): Stored {
  const shortMs = ttlMs === null ? null : Math.max(1, Math.round(ttlMs * (1 - jitter * clock.random())));
  const freshUntilMs = shortMs === null ? FOREVER : Math.min(FOREVER, clock.now() + shortMs);
  const header = { freshUntilMs, deltaMs: boundedDelta(deltaMs, shortMs), token: NO_TOKEN, leaseUntilMs: 0 };
  return { stored: seal(header, codec.mark, encoded), ttlMs: shortMs === null ? null : shortMs + graceMs };
}

/** The reply to a read or a claim. */
export type EntryRead =
  /** There was no entry; a claim has taken the lease. */
  | { readonly kind: "claimed" }
  /** A value before its expiry. `envelope` is absent for a value that was stored without one. */
  | { readonly kind: "fresh"; readonly payload: Encoded; readonly envelope: Envelope | undefined }
  /** A value past its expiry, within its grace. */
  | { readonly kind: "stale"; readonly payload: Encoded; readonly envelope: Envelope }
  /** A value that was purged, or is past this client's grace, as one with a longer grace has written it. It may be claimed, not answered. */
  | { readonly kind: "expired"; readonly envelope: Envelope }
  /** Another caller holds the lease, and there is no value to answer. */
  | { readonly kind: "leased" };

/** @throws {DecodeError} @throws {ReplyError} */
export function readEntry(
  reply: Reply,
  { key, token, codec, nowMs, graceMs }: { key: string; token: string; codec: Codec; nowMs: number; graceMs: number },
): EntryRead {
  const stored = toStored(reply, key);
  if (stored === undefined) return { kind: "claimed" };
  if (!isEnvelope(stored)) return { kind: "fresh", payload: stored, envelope: undefined };
  const envelope = readEnvelope(stored, key);
  const payload = payloadOf(codec, envelope, key);
  // This caller's own placeholder: the command was retried after its first reply was lost.
  if (payload === undefined) return { kind: envelope.token === token ? "claimed" : "leased" };
  if (envelope.freshUntilMs > nowMs) return { kind: "fresh", payload, envelope };
  if (nowMs - staleFromMs(envelope) <= graceMs) return { kind: "stale", payload, envelope };
  return ended(envelope, nowMs);
}

/**
 * A value that may not be answered any more.
 * @param isPurged it ignores the pause after a failed load, in which an old value would be answered
 */
export function ended(envelope: Envelope, nowMs: number, isPurged = false): EntryRead {
  const isLeased = envelope.leaseUntilMs > nowMs && !(isPurged && envelope.token === NO_TOKEN);
  return isLeased ? { kind: "leased" } : { kind: "expired", envelope };
}

/** A value with tags. */
export type TaggedRead = Extract<EntryRead, { kind: "fresh" | "stale" }> & { readonly envelope: Envelope };

/** Whether a value has tags before it. */
export function hasTags(read: EntryRead): read is TaggedRead {
  return (read.kind === "fresh" || read.kind === "stale") && read.envelope !== undefined && isTagged(read.payload);
}
