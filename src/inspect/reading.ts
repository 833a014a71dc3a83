import type { HerdSettings } from "../client/herd/options.js";
import { type Envelope, isSoftlyExpired, NO_TOKEN, staleFromMs } from "../codec/envelope.js";
import type { Inspected } from "./entry.js";
import { duration } from "./figures.js";
import { envelopeOf } from "./form.js";

/** What a read of the client means, with the fact that decides it: the end of a sentence such as "getOrSet would load: …". */
export type Reading =
  | { readonly is: "missing"; readonly because: string }
  /** The server, or the purge log, gives the client an error. */
  | { readonly is: "refused"; readonly because: string }
  /** A newer version of the library wrote it. */
  | { readonly is: "newer"; readonly because: string }
  | { readonly is: "undecodable"; readonly because: string; readonly cause: unknown }
  /** There is no value to answer, and a lease on it. */
  | { readonly is: "leased"; readonly because: string; readonly envelope: Envelope }
  | { readonly is: "fresh"; readonly because: string; readonly envelope: Envelope | undefined }
  | { readonly is: "stale"; readonly because: string; readonly envelope: Envelope }
  /** It is there, and not answered. */
  | { readonly is: "ended"; readonly because: string };

/** @param herd absent for `get`, and for the default client: they know no grace */
export function readingOf(inspected: Inspected, herd: HerdSettings | undefined): Reading {
  const { form, raw, found, judgement } = inspected;
  switch (form.is) {
    case "none":
      return { is: "missing", because: "nothing is stored under the key" };
    case "set":
    case "hash":
    case "log":
    case "other":
      return { is: "refused", because: `the key holds a ${raw.type}, which is not read as a value` };
    case "lease":
      return { is: "leased", envelope: form.envelope, because: leaseText(form.envelope, raw.atMs) };
    case "broken":
      return form.isNewer
        ? { is: "newer", because: "a newer version of this library wrote the entry" }
        : { is: "undecodable", because: "the header of the entry is malformed", cause: form.error };
    case "unread":
      if (form.refusal) return { is: "refused", because: `the server refuses to read it: ${form.refusal.message}` };
      break;
    case "response":
    case "variants":
    case "uncacheable":
      return { is: "undecodable", because: "the key belongs to the HTTP cache", cause: undefined };
    case "value":
      if (herd && form.by !== "cache") return undecodable(inspected);
  }
  const aged = agedReading(inspected, herd);
  if (aged.is === "ended" || aged.is === "leased") return aged;
  if (judgement.error) return { is: "refused", because: `the purge log can't be read: ${judgement.error.message}` };
  const purged = purgedReading(inspected, aged);
  if (purged.is === "ended" || purged.is === "leased") return purged;
  return found.unreadable ? undecodable(inspected) : purged;
}

function undecodable({ found, form }: Inspected): Reading {
  const { reason = "another serializer wrote it", cause } = found.unreadable ?? {};
  const what = form.is === "value" && form.by === "next" ? "it is an entry of Next's cache" : reason;
  return { is: "undecodable", because: `the stored bytes can't be decoded: ${what}`, cause };
}

type Valued = Extract<Reading, { is: "fresh" | "stale" | "ended" | "leased" }>;

/** By the clock of this process, as the client reads it. */
function agedReading({ form, raw }: Inspected, herd: HerdSettings | undefined): Valued {
  const envelope = envelopeOf(form);
  if (!envelope)
    return { is: "fresh", envelope, because: "a value without an envelope is fresh as long as it is stored" };
  const { freshUntilMs } = envelope;
  const leftMs = freshUntilMs - raw.nowMs;
  if (leftMs > 0) {
    const because =
      freshUntilMs > FAR_MS ? "the value never expires" : `the value is fresh for ${duration(leftMs)} more`;
    return { is: "fresh", envelope, because };
  }
  const staleMs = raw.nowMs - staleFromMs(envelope);
  const since = isSoftlyExpired(envelope)
    ? `the entry was expired softly ${duration(staleMs)} ago`
    : `the value has been stale for ${duration(staleMs)}`;
  if (!herd) {
    if (isSoftlyExpired(envelope)) return { is: "stale", envelope, because: since };
    return { is: "ended", because: `the value expired ${duration(staleMs)} ago` };
  }
  if (staleMs <= herd.graceMs) {
    return {
      is: "stale",
      envelope,
      because: `${since}, and its grace of ${duration(herd.graceMs)} lasts ${duration(herd.graceMs - staleMs)} more`,
    };
  }
  return endedReading(envelope, raw, `the grace of the entry ended ${duration(staleMs - herd.graceMs)} ago`, false);
}

/** Moments from this on are as good as never. */
const FAR_MS = 900_000_000_000_000;

/** A herd client waits for a load of an entry that has ended, too. */
function endedReading(
  envelope: Envelope,
  { nowMs, atMs }: Inspected["raw"],
  because: string,
  isPurged: boolean,
): Valued {
  const isLeased = envelope.leaseUntilMs > nowMs && !(isPurged && envelope.token === NO_TOKEN);
  return isLeased
    ? { is: "leased", envelope, because: `${because}, and ${leaseText(envelope, atMs)}` }
    : { is: "ended", because };
}

function purgedReading({ judgement, raw, report }: Inspected, aged: Valued): Valued {
  const { verdict } = judgement;
  if (verdict === "good" || !("envelope" in aged) || !aged.envelope) return aged;
  const names = report.tags
    .filter(({ purged }) => purged === verdict)
    .map(({ tag, label }) => (tag === undefined ? `#${label}` : JSON.stringify(tag)));
  const subject = names.length === 1 ? `the tag ${names[0]} was` : `the tags ${names.join(", ")} were`;
  const what =
    names.length === 0
      ? "the purge log no longer says what was purged since"
      : `${subject} purged ${verdict === "soft" ? "softly " : ""}since`;
  if (verdict === "hard") return endedReading(aged.envelope, raw, what, true);
  return { is: "stale", envelope: aged.envelope, because: what };
}

/** What a lease says of its holder. */
export function leaseText({ token, leaseUntilMs }: Envelope, atMs: number): string {
  const leftMs = leaseUntilMs - atMs;
  if (token === NO_TOKEN) return `no caller loads it for ${duration(leftMs)} more, as a load has failed`;
  const holder = `the caller with the token ${token} holds the lease`;
  return leftMs > 0
    ? `${holder} for ${duration(leftMs)} more, unless it renews it`
    : `${holder}, which ended ${duration(leftMs)} ago without a renewal`;
}
