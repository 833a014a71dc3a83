import { Lease } from "../lease/lease.js";
import { hasLeases } from "../lease/read-or-claim.js";
import { type Answer, notModified, type PassedOn, serve } from "./answer.js";
import { type Body, LONGEST_BODY_MS, readAll } from "./body.js";
import { type Forwarded, UnreachedError } from "./host.js";
import type { Interest } from "./interest.js";
import { answerFromOrigin, bodyLength, releaseLease, storageOf } from "./origin-response.js";
import type { Entry } from "./record.js";
import {
  beginBackgroundFetch,
  beginClientFetch,
  type OriginFetch,
  type RequestContext,
  timing,
} from "./request-context.js";
import type { ForwardReason } from "./rfc/cache-status.js";
import { isNotModified, unconditional } from "./rfc/conditional.js";
import { responseLabels } from "./rfc/invalidation.js";
import { type Fields, hasField, type ResponseHead, toFields } from "./rfc/message.js";
import type { Policy } from "./rfc/policy.js";
import { type Decision, mayReplaceFailure } from "./rfc/select.js";
import { isError, isGone } from "./rfc/statuses.js";
import { evaluateStorage } from "./rfc/storable.js";
import { fieldsFromOrigin } from "./rfc/stored-response.js";
import { freshen, freshenFromHead, validationRequest } from "./rfc/validation.js";
import { rememberUnreached } from "./state.js";
import type { StoreLocation } from "./store.js";

/** Whether the server would refuse a claim: there is a lease on the response, or a pause after a failure. */
export function isTaken({ settings }: RequestContext, { leaseUntilMs }: Entry): boolean {
  return leaseUntilMs > settings.clock.now();
}

/** Takes the lease on a stored response. Store errors go to `onError`. @param force also in the pause after a failure */
export async function claim(
  context: RequestContext,
  entry: Entry,
  force: boolean,
): Promise<Lease | "taken" | "failed"> {
  const { leases } = context.store;
  const { key, expiresMs } = entry;
  // A pause after a failure, by the server's clock, is only a hint and may be ignored.
  if (!force && isTaken(context, entry)) return "taken";
  try {
    if (!hasLeases(leases.connection)) return "failed";
    const lease = await Lease.claim(leases, key, expiresMs, force);
    context.claimed(key, lease !== undefined);
    return lease ?? "taken";
  } catch (error) {
    context.report(error, "claim", key);
    return "failed";
  }
}

/** A stored response to validate, and the lease on it; without a lease the result is not stored. */
export interface Validation {
  readonly entry: Entry;
  readonly location: StoreLocation;
  readonly lease: Lease | undefined;
  readonly decision: Extract<Decision, { ageMs: number }>;
}

/** Validates a stored response at the origin, and answers with the result. RFC 9111 §4.3. */
export async function validate(context: RequestContext, validation: Validation): Promise<Answer | PassedOn> {
  const { request } = context;
  const { entry, decision, lease, location } = validation;
  const originFetch = beginClientFetch(context, lease, location);
  const how = forwardReasonOf(decision);
  const details = { how, keepsStored: how === "request", sentRange: entry.head.status === 206 };
  let got: Forwarded | undefined;
  try {
    const fields = validationRequest(request.fields, entry.head);
    got = await forwardUnlessReplaced(context, validation, fields, originFetch);
  } catch (error) {
    releaseLease(context, 500, "failed", originFetch, details);
    throw error;
  }
  if (!got) {
    releaseLease(context, 500, "failed", originFetch, details);
    return serve(context, entry, decision);
  }
  const { response, failed, preset } = got;
  if (failed || response.status !== 304) return answerFromOrigin(context, got, originFetch, details);
  const head = { status: 304, fields: toFields(response.headers), preset };
  return freshened(context, validation, originFetch, { head, policy: storageOf(context, got).policy }, how);
}

/** Why a stored response can't be used without validation. */
export function forwardReasonOf(decision: Validation["decision"]): "request" | "stale" {
  return decision.action === "validate" && decision.why === "request" ? "request" : "stale";
}

/**
 * The origin's response; `undefined` where the origin fails, or takes longer than `originTimeout`, and the stored response
 * replaces it. @throws the host's error
 */
export async function forwardUnlessReplaced(
  context: RequestContext,
  { entry, decision }: Known,
  fields: Fields,
  originFetch: OriginFetch,
): Promise<Forwarded | undefined> {
  const giveUp = (got: Forwarded): undefined => {
    originFetch.interest.end();
    got.response.body?.cancel().catch(() => {});
  };
  let got: Forwarded | "late";
  const forwarding = context.forward(fields, originFetch, forwardReasonOf(decision));
  try {
    got = await unlessLate(context, forwarding);
    if (got === "late" && !mayReplace(context, entry, "unreachable")) got = await forwarding;
  } catch (error) {
    if (mayReplace(context, entry, "unreachable")) return undefined;
    throw error;
  }
  if (got === "late") {
    originFetch.interest.end();
    forwarding.then(giveUp, () => {});
    return undefined;
  }
  const { response, failed } = got;
  return mayReplace(context, entry, failed ? "unreachable" : { status: response.status }) ? giveUp(got) : got;
}

/** The result of `work`, or `"late"` after `originTimeout`. */
async function unlessLate<T>({ settings }: RequestContext, work: Promise<T>): Promise<T | "late"> {
  const { originTimeoutMs, clock } = settings;
  if (originTimeoutMs === undefined) return work;
  const settled = new AbortController();
  try {
    return await Promise.race([work, clock.sleep(originTimeoutMs, settled.signal).then(() => "late" as const)]);
  } finally {
    settled.abort();
  }
}

async function freshened(
  context: RequestContext,
  { entry, decision }: Validation,
  originFetch: OriginFetch,
  { head: got, policy }: { readonly head: ResponseHead; readonly policy: Policy },
  how: "request" | "stale",
): Promise<Answer | PassedOn> {
  const { request, publisher } = context;
  const result = freshen(entry.head, request, got, timing(originFetch, context), policy);
  if (result.outcome === "mismatch") return fetchUnconditionally(context, entry, decision, originFetch, how);
  const { lease, location, stamp, interest } = originFetch;
  interest.complete();
  const isStored = result.outcome === "updated" && lease !== undefined && location !== undefined;
  const member = context.status({ how, forwardedStatus: 304, stored: isStored });
  // The origin has set these cookies for this client alone.
  const cookies = got.fields.filter(([name]) => name === "set-cookie");
  if (result.outcome !== "updated") {
    endFetch(context, originFetch, result.outcome, how);
    const head = { ...entry.head, fields: result.fields };
    return serve(context, { ...entry, head }, decision, { member, ageMs: 0, cookies });
  }
  if (isStored) {
    const storing = { request, lease, location, stamp, preset: got.preset };
    void context.inBackground(publisher.freshen(storing, entry, result.stored), "store");
  }
  const head = { ...entry.head, ...result.stored };
  return serve(context, { ...entry, head }, decision, { member, ageMs: result.stored.initialAgeMs, cookies });
}

/** Ends the lease of a validation whose result is not stored. A response that is fresh stays as it is. */
function endFetch(
  context: RequestContext,
  { lease, interest }: OriginFetch,
  outcome: "once" | "last" | "mismatch",
  how: "request" | "stale",
): void {
  interest.complete();
  const isKept = outcome === "once" || how === "request";
  if (lease) void context.inBackground(isKept ? lease.yield(0) : lease.drop(), "settle");
}

/**
 * The 304 is about another response than the stored one, so the origin is asked again without conditions. Where the host
 * can't, the stored response is used for this request alone.
 */
async function fetchUnconditionally(
  context: RequestContext,
  entry: Entry,
  decision: Validation["decision"],
  originFetch: OriginFetch,
  how: "request" | "stale",
): Promise<Answer | PassedOn> {
  endFetch(context, originFetch, "mismatch", how);
  const { request } = context;
  const second = beginClientFetch(context, undefined, undefined);
  const got = await context.refetch(unconditional(request.fields), unconditional(context.sent), second);
  if (got) return answerFromOrigin(context, got, second, { how });
  return serve(context, entry, decision, {
    member: context.status({ how, forwardedStatus: 304 }),
    ageMs: decision.ageMs,
  });
}

function mayReplace(
  { directives, settings }: RequestContext,
  entry: Entry,
  failure: Parameters<typeof mayReplaceFailure>[1],
): boolean {
  const candidate = { stored: entry.head, invalid: entry.invalid };
  return mayReplaceFailure(candidate, failure, directives, settings.policy, settings.clock.now());
}

/** Whether a stored response can be validated in the background, by a request without a client. */
export function canRefresh(context: RequestContext, entry: Entry): boolean {
  const { host, settings, state, base } = context;
  if (host.refetch === undefined || settings.awaitBackground || state.unreached.has(base)) return false;
  const carried = refreshFields(context.sent, context, entry);
  // A request without a client has no credentials, so it can't ask for a response that they select.
  const credentials = [...settings.policy.credentialFields, "cookie"];
  return !credentials.some((name) => hasField(carried, name) || entry.head.vary.includes(name));
}

/** The fields that the key was made of, besides the target. A key that the host has made may depend on any field. */
function refreshFields(fields: Fields, { carriesAll, settings }: RequestContext, { head }: Entry): Fields {
  const carried = ["host", ...(settings.trust?.names ?? []), ...head.vary];
  const all = carriesAll ? unconditional(fields) : [];
  return fields.filter((field) => all.includes(field) || carried.includes(field[0]));
}

/** Validates a stored response in the background. Rejects when that fails. */
export async function refresh(
  context: RequestContext,
  entry: Entry,
  location: StoreLocation,
  lease: Lease,
): Promise<void> {
  const { settings, publisher } = context;
  const selecting = refreshFields(context.request.fields, context, entry);
  const request = { method: "GET", url: context.request.url, fields: selecting };
  const originFetch = beginBackgroundFetch(context, lease, location);
  const { interest } = originFetch;
  const discard = (body: Body | null): Promise<void> | undefined => {
    interest.end();
    return body?.cancel();
  };
  try {
    const sent = refreshFields(context.sent, context, entry);
    const work = context.refetch(validationRequest(selecting, entry.head), sent, originFetch);
    const got = await unlessEnded(work, interest);
    if (!got || got.failed || got.response.status >= 500) {
      await discard(got?.response.body ?? null);
      return await lease.yield(settings.retryAfterMs);
    }
    const { response, preset } = got;
    const head = { status: response.status, fields: toFields(response.headers), preset };
    const times = timing(originFetch, context);
    const { policy, maxBodySize: limit } = storageOf(context, got);
    if (response.status === 304) {
      const result = freshen(entry.head, request, head, times, policy);
      return result.outcome === "updated"
        ? await publisher.freshen({ request, lease, location, stamp: originFetch.stamp, preset }, entry, result.stored)
        : await lease.drop();
    }
    const result = evaluateStorage(request, head, times, policy);
    const labels = responseLabels(head.fields, preset);
    const isOfItsKind = (head.status === 206) === (entry.head.status === 206);
    if (!result.storable || !labels || got.isSent || !isOfItsKind) {
      await discard(response.body);
      // An error that says nothing of the resource leaves what is stored alone.
      const isKept = isError(head.status) && !isGone(head.status);
      return await (isKept ? lease.yield(settings.retryAfterMs) : publisher.markUncacheable(lease));
    }
    const { clock } = settings;
    lease.renewFor(LONGEST_BODY_MS);
    const body = await readAll(response.body, { limit, clock, interest, expected: bodyLength(head) });
    if (body instanceof Uint8Array) {
      await publisher.store(
        { request, stored: result.stored, labels, stamp: originFetch.stamp, lease, location },
        body,
      );
    } else if (body === "too-large") await publisher.markUncacheable(lease, true);
    else await lease.yield(settings.retryAfterMs);
  } catch (error) {
    const isUnreached = error instanceof UnreachedError;
    // The next request validates in the foreground.
    if (isUnreached) rememberUnreached(context.state, context.base);
    await lease.yield(isUnreached ? 0 : settings.retryAfterMs);
    throw error;
  } finally {
    interest.complete();
  }
}

/** The result of `work`, or `undefined` when the response is given up first. */
function unlessEnded<T>(work: Promise<T>, { signal }: Interest): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
    work.then(resolve, reject);
  });
}

type Known = Omit<Validation, "lease">;

/** Forwards a HEAD for which nothing is stored. */
export async function head(context: RequestContext, how: ForwardReason): Promise<Answer> {
  const originFetch = beginClientFetch(context, undefined, undefined);
  return passOn(context, await context.forward(context.request.fields, originFetch, how), how);
}

/** Forwards a HEAD, whose response also updates or invalidates the stored response to GET. RFC 9111 §4.3.5. */
export async function validateByHead(context: RequestContext, known: Known): Promise<Answer> {
  const originFetch = beginClientFetch(context, undefined, known.location);
  // The response must not depend on this client's conditions, as it updates the stored one.
  const fields = unconditional(context.request.fields);
  const forwarded = await forwardUnlessReplaced(context, known, fields, originFetch);
  if (!forwarded) return serve(context, known.entry, known.decision);
  if (!forwarded.failed) await updateFromHead(context, known, forwarded, originFetch);
  const answer = passOn(context, forwarded, forwardReasonOf(known.decision));
  const selected = { ...answer, responseTimeMs: context.settings.clock.now() };
  return isNotModified(context.request.fields, selected) ? notModified(answer.fields) : answer;
}

async function updateFromHead(
  context: RequestContext,
  { entry, location }: Known,
  { response, preset }: Forwarded,
  originFetch: OriginFetch,
): Promise<void> {
  const { request, settings, publisher, store } = context;
  const got = { status: response.status, fields: toFields(response.headers), preset };
  const result = freshenFromHead(entry.head, request, got, timing(originFetch, context), settings.policy);
  if (result?.outcome === "stale") await context.inBackground(store.soften(entry.key), "head");
  if (result?.outcome !== "updated") return;
  const work = async (): Promise<void> => {
    const lease = await claim(context, entry, true);
    if (!(lease instanceof Lease)) return;
    const storing = { request, lease, location, stamp: originFetch.stamp, preset };
    await publisher.freshen(storing, entry, result.stored);
  };
  await context.inBackground(work(), "head");
}

function passOn(context: RequestContext, { response }: Forwarded, how: ForwardReason): Answer {
  const { hiddenTagFields } = context.settings;
  const fields = fieldsFromOrigin(toFields(response.headers), context.status({ how }), hiddenTagFields);
  return { status: response.status, fields, body: response.body };
}
