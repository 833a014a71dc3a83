import type { Cache } from "../cache/cache.js";
import { HerdClient } from "../client/herd/client.js";
import type { HerdSettings } from "../client/herd/options.js";
import { KEPT_MS } from "../client/lock.js";
import { FOREVER, isSoftlyExpired, staleFromMs } from "../codec/envelope.js";
import { currentAgeMs } from "../http/rfc/age.js";
import type { Verdict } from "../tags/purge-log.js";
import type { Form } from "./form.js";
import type { ParsedKey } from "./keys.js";
import type { EntryKind, EntryReport, EntryState } from "./port.js";
import type { RawEntry } from "./read.js";

/** The settings of a cache's herd client; `undefined` where it has another client, which knows no grace. */
export function herdOf({ parts }: Pick<Cache, "parts">): HerdSettings | undefined {
  return HerdClient.settingsOf(parts.client);
}

export function kindOf(form: Form, { of }: ParsedKey): EntryKind {
  switch (form.is) {
    case "none":
    case "set":
    case "hash":
    case "lock":
    case "lease":
    case "response":
    case "variants":
    case "uncacheable":
      return form.is;
    case "log":
      return "purge-log";
    case "other":
      return "foreign";
    case "plain":
    case "unread":
      return of === "other" ? "foreign" : "value";
    case "value":
    case "broken":
      return "value";
  }
}

type Times = Pick<EntryReport, "freshUntilMs" | "staleUntilMs" | "expiresMs" | "storedMs">;

/** How the entry stands for the client of the cache, by this process's clock, as that client has it. */
export function stateOf(
  form: Form,
  raw: RawEntry,
  { herd, verdict }: { readonly herd: HerdSettings | undefined; readonly verdict: Verdict },
): EntryState {
  switch (form.is) {
    case "none":
      return "none";
    case "unread":
    case "broken":
      return "unreadable";
    case "lease":
      return "loading";
    case "lock":
      return raw.leftMs != null && raw.leftMs <= KEPT_MS ? "ended" : "fresh";
    case "value": {
      if (form.by === "other") return "unreadable";
      return purged(form.by === "next" ? "fresh" : ageOf(form.envelope, raw, herd), verdict);
    }
    case "response": {
      const isFresh = currentAgeMs(form.head, raw.nowMs) < form.head.lifetimeMs;
      return purged(isFresh && !form.isInvalid && !form.head.alwaysValidate ? "fresh" : "stale", verdict);
    }
    default:
      return "fresh";
  }
}

function ageOf(
  envelope: { readonly freshUntilMs: number },
  { nowMs }: RawEntry,
  herd: HerdSettings | undefined,
): "fresh" | "stale" | "ended" {
  if (envelope.freshUntilMs > nowMs) return "fresh";
  const isAnswered = herd ? nowMs - staleFromMs(envelope) <= herd.graceMs : isSoftlyExpired(envelope);
  return isAnswered ? "stale" : "ended";
}

function purged(state: "fresh" | "stale" | "ended", verdict: Verdict): EntryState {
  if (verdict === "hard") return "ended";
  return verdict === "soft" && state === "fresh" ? "stale" : state;
}

/** The moments in the life of an entry. */
export function timesOf(form: Form, raw: RawEntry, herd: HerdSettings | undefined): Times {
  const { leftMs, atMs } = raw;
  const expiresMs = leftMs === undefined ? undefined : leftMs === null ? null : atMs + leftMs;
  const none = { freshUntilMs: undefined, staleUntilMs: undefined, expiresMs, storedMs: undefined };
  if (form.is === "response") {
    const { responseTimeMs, initialAgeMs, lifetimeMs } = form.head;
    const freshUntilMs = form.head.alwaysValidate ? responseTimeMs : responseTimeMs - initialAgeMs + lifetimeMs;
    return { freshUntilMs, staleUntilMs: expiresMs, expiresMs, storedMs: responseTimeMs };
  }
  if (form.is !== "value" || form.by === "other") return none;
  const { envelope } = form;
  if (envelope.freshUntilMs === FOREVER) return { ...none, freshUntilMs: null, staleUntilMs: null };
  const freshUntilMs = staleFromMs(envelope);
  if (herd && form.by === "cache") {
    const graceMs = freshUntilMs + herd.graceMs;
    return { ...none, freshUntilMs, staleUntilMs: expiresMs == null ? graceMs : Math.min(graceMs, expiresMs) };
  }
  return { ...none, freshUntilMs, staleUntilMs: isSoftlyExpired(envelope) ? expiresMs : freshUntilMs };
}
