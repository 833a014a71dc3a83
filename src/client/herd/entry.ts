import type { Codec } from "../../codec/codec.js";
import { type Encoded, Envelope, FOREVER, type Header, isEnvelope, NO_TOKEN, seal } from "../../codec/envelope.js";
import type { Reply } from "../../core/connection.js";
import type { Clock } from "../../core/time.js";
import type { ClientContext } from "../client.js";
import { payloadOf, type Stored, toStored } from "../key-commands.js";
import type { HerdSettings } from "./options.js";

/**
 * Whether to refresh a fresh entry now: the chance grows towards expiry with the cost of the load.
 * Source: Vattani et al., VLDB 2015, §3 (XFetch).
 *
 * Every reader in the fleet draws, so that with many readers somebody draws a long lead long before expiry. A lead longer
 * than the load gains nothing, as the load is over by the expiry: so it ends there (times β, where that is above 1).
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

/** The delta to store: no load is so dear that an entry should be refreshed in more than the last tenth of its life. */
export function boundedDelta(deltaMs: number, ttlMs: number | null): number {
  return ttlMs === null ? deltaMs : Math.min(deltaMs, ttlMs / 10);
}

/** The form in which a value is stored: in an envelope that says until when it is fresh, and for the grace on top of that. */
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

/** What reading or claiming an entry found. */
export type Found =
  /** Nothing: the lease was taken. */
  | { readonly kind: "claimed" }
  /** A value that is good; with its envelope when it has one. */
  | { readonly kind: "fresh"; readonly payload: Encoded; readonly envelope: Envelope | undefined }
  /** A value past its expiry, within its grace. */
  | { readonly kind: "stale"; readonly payload: Encoded; readonly envelope: Envelope }
  /** A value past its grace, as who wrote it has a longer one: not to be answered, and free to be claimed. */
  | { readonly kind: "expired"; readonly envelope: Envelope }
  /** Somebody holds the lease, and there is nothing to answer meanwhile. */
  | { readonly kind: "busy" };

/** A value that can be answered. */
export type Answerable = Extract<Found, { kind: "fresh" | "stale" }>;

/** @throws {DecodeError} @throws {ReplyError} */
export function toFound(
  reply: Reply,
  { key, token, codec, nowMs, graceMs }: { key: string; token: string; codec: Codec; nowMs: number; graceMs: number },
): Found {
  const stored = toStored(reply, key);
  if (stored === undefined) return { kind: "claimed" };
  if (!isEnvelope(stored)) return { kind: "fresh", payload: stored, envelope: undefined };
  const envelope = new Envelope(stored, key);
  const payload = payloadOf(codec, envelope, key);
  // This caller's own placeholder: the command was retried after its first reply was lost.
  if (payload === undefined) return { kind: envelope.token === token ? "claimed" : "busy" };
  if (envelope.freshUntilMs > nowMs) return { kind: "fresh", payload, envelope };
  if (nowMs - envelope.freshUntilMs <= graceMs) return { kind: "stale", payload, envelope };
  return envelope.leaseUntilMs > nowMs ? { kind: "busy" } : { kind: "expired", envelope };
}
