import { runOutside } from "../core/async.js";
import { Lease } from "../lease/lease.js";
import { type Answer, gatewayTimeout, NOT_STORED, type PassedOn, serve } from "./answer.js";
import { METHOD } from "./observed.js";
import { answerFromOrigin, type ForwardDetails, releaseLease } from "./origin-response.js";
import type { Entry } from "./record.js";
import { beginClientFetch, type RequestContext } from "./request-context.js";
import { mayCollapse } from "./rfc/admission.js";
import { unconditional } from "./rfc/conditional.js";
import { underPreset } from "./rfc/preset.js";
import { asksForPart, isAnsweredBy } from "./rfc/range.js";
import { decide } from "./rfc/select.js";
import type { LookupResult, PendingRead, StoreLocation } from "./store.js";
import { canRefresh, claim, head, isTaken, refresh, validate, validateByHead } from "./validate.js";

/** Never sent, as the client has left. */
const CLIENT_GONE: Answer = { status: 499, fields: [], body: null };

/**
 * Answers a GET or HEAD that the cache may handle. @throws the host's error, where no stored response replaces it
 * @param pendingRead a read that has begun already
 */
export async function handle(context: RequestContext, pendingRead?: PendingRead): Promise<Answer | PassedOn> {
  const { request, base, host, directives, collapsing } = context;
  const claims = request.method === "GET" && !directives.noStore && !directives.onlyIfCached;
  for (;;) {
    const lookup = await context.find(claims, collapsing.hasWaited ? undefined : pendingRead);
    const answer = await answerLookup(context, lookup);
    if (answer !== "wait") {
      collapsing.end(true);
      return answer;
    }
    const signal = host.signal() ?? new AbortController().signal;
    const changes = context.store.changes(awaitedKey(lookup) ?? base);
    const wait = (wakeUp: AbortSignal) => collapsing.next(signal, wakeUp, changes);
    const waited = context.state.wakeUps.during(base, wait);
    const isTimeLeft = await context.events.held.waiting(waited).catch(() => undefined);
    if (isTimeLeft === undefined) {
      collapsing.end(false);
      context.status({ how: "miss", collapsed: false, detail: "client-gone" });
      return CLIENT_GONE;
    }
    if (!isTimeLeft) return miss(context, undefined, undefined, { how: "miss" });
  }
}

/** The key with the lease, or with the response that is being replaced. */
function awaitedKey(lookup: LookupResult): string | undefined {
  if (lookup.kind === "busy") return lookup.key;
  return lookup.kind === "response" || lookup.kind === "purged" ? lookup.entry.key : undefined;
}

async function answerLookup(context: RequestContext, lookup: LookupResult): Promise<Answer | PassedOn | "wait"> {
  const { request, directives } = context;
  if (lookup.kind === "response") {
    const { entry, location } = lookup;
    const preset = context.host.preset();
    const stored = preset.length > 0 ? underPreset(entry.head, preset, context.settings.policy) : entry.head;
    const isUsable = stored && isAnsweredBy(request.fields, stored);
    if (isUsable) return useResponse(context, { ...entry, head: stored }, location);
    if (directives.onlyIfCached) return gatewayTimeout(context.status(NOT_STORED));
    return replace(context, entry, location, { how: stored ? "partial" : "vary-miss", keepsStored: true });
  }
  if (directives.onlyIfCached) return gatewayTimeout(context.status(NOT_STORED));
  if (lookup.kind === "failed") return miss(context, undefined, undefined, { how: "miss" });
  const how = lookup.location.index ? "vary-miss" : "uri-miss";
  // A response that is being made for a GET will answer a HEAD, too.
  const isAwaited = lookup.kind === "busy" && canWait(context, lookup.key, lookup.holder);
  if (isAwaited) return "wait";
  if (request.method === "HEAD") return head(context, how);
  switch (lookup.kind) {
    case "busy":
      return miss(context, undefined, lookup.location, { how });
    case "purged":
      return replace(context, lookup.entry, lookup.location, { how, keepsStored: false });
    case "uncacheable":
      return miss(context, lookup.lease, lookup.location, { how, wasLarge: lookup.isLarge });
    case "none":
      return miss(context, lookup.lease, lookup.location, { how });
  }
}

/** Asks the origin for a response that replaces one that this request can't use. */
async function replace(
  context: RequestContext,
  entry: Entry,
  location: StoreLocation,
  details: ForwardDetails,
): Promise<Answer | PassedOn | "wait"> {
  if (context.request.method === "HEAD") return head(context, details.how);
  const lease = await claim(context, entry, true);
  if (lease === "taken" && canWait(context, `${entry.key} ${entry.expiresMs}`, entry.holder)) return "wait";
  return miss(context, lease instanceof Lease ? lease : undefined, location, details);
}

/**
 * Whether a request may wait for another one's response. Requests with credentials never do, nor those that ask for the
 * origin, which could not use the response.
 * @param awaited what is being made; see `Collapsing`
 */
function canWait(
  { request, directives, settings: { policy }, collapsing }: RequestContext,
  awaited: string,
  holder: string,
): boolean {
  const asksForOrigin = policy.requestDirectives && (directives.noCache || directives.maxAgeMs === 0);
  if (asksForOrigin || !mayCollapse(request.fields, directives.noStore, policy)) return false;
  return collapsing.allows(awaited, holder);
}

async function useResponse(
  context: RequestContext,
  entry: Entry,
  location: StoreLocation,
): Promise<Answer | PassedOn | "wait"> {
  const { request, settings, directives, collapsing } = context;
  const candidate = { stored: entry.head, invalid: entry.invalid };
  const decision = decide(candidate, directives, settings.policy, settings.clock.now());
  if (decision.action === "gateway-timeout") return gatewayTimeout(context.status(NOT_STORED));
  if (decision.action === "serve") {
    if (decision.revalidate && request.method === "GET") {
      if (!canRefresh(context, entry)) {
        const lease = await claim(context, entry, false);
        if (lease instanceof Lease) return validate(context, { entry, location, lease, decision });
      } else refreshInBackground(context, entry, location);
    }
    if (decision.revalidate) context.events.emit("stale", () => ({ method: METHOD, key: entry.key, count: 1 }));
    const { ageMs, ttlMs } = decision;
    if (!collapsing.hasWaited) return serve(context, entry, decision);
    const how = location.index ? "vary-miss" : "uri-miss";
    return serve(context, entry, decision, { member: context.status({ how, ttlMs, collapsed: true }), ageMs });
  }
  if (request.method === "HEAD") return validateByHead(context, { entry, location, decision });
  if (directives.noStore) return validate(context, { entry, location, lease: undefined, decision });
  const lease = await claim(context, entry, true);
  const isAwaited =
    lease === "taken" &&
    decision.why === "stale" &&
    isReusedOnArrival(entry) &&
    canWait(context, `${entry.key} ${entry.expiresMs}`, entry.holder);
  if (isAwaited) return "wait";
  return validate(context, { entry, location, lease: lease instanceof Lease ? lease : undefined, decision });
}

/**
 * Whether the next response for a URL can probably be reused, by the last one: not where each use has to be validated, or
 * where the origin took longer than the lifetime. RFC 9111 §4 allows collapsing only where reuse is allowed.
 */
function isReusedOnArrival({ head: { alwaysValidate, lifetimeMs, initialAgeMs } }: Entry): boolean {
  return !alwaysValidate && lifetimeMs > initialAgeMs;
}

function refreshInBackground(context: RequestContext, entry: Entry, location: StoreLocation): void {
  const work = async (): Promise<void> => {
    const lease = await claim(context, entry, false);
    if (lease instanceof Lease) await refresh(context, entry, location, lease);
  };
  // Another request refreshes it, or has just failed to.
  if (isTaken(context, entry)) return;
  const run = context.events.begin("refresh", () => ({ kind: "refresh", method: METHOD, key: entry.key }));
  // Handlers must not use what belongs to this request, which may have ended.
  void context.inBackground(
    runOutside(() => run(work)),
    "refresh",
  );
}

async function miss(
  context: RequestContext,
  lease: Lease | undefined,
  location: StoreLocation | undefined,
  details: ForwardDetails,
): Promise<Answer | PassedOn> {
  const { request } = context;
  const plain = unconditional(request.fields);
  // A URL whose body could not be stored whole is stored in parts.
  const isStoredInParts =
    lease?.on === "marker" || location?.index?.index.names.some((names) => names.includes("range"));
  const sentRange = isStoredInParts === true && asksForPart(request.fields);
  // Under an uncacheable mark the origin may evaluate conditions itself. Then nothing is stored.
  const passesOn = !sentRange && lease?.on === "marker" && plain.length < request.fields.length;
  const originFetch = beginClientFetch(context, passesOn ? undefined : lease, location);
  const fields = passesOn || sentRange ? request.fields : plain;
  try {
    const got = await context.forward(fields, originFetch, details.how);
    return await answerFromOrigin(context, got, originFetch, { ...details, sentRange });
  } catch (error) {
    releaseLease(context, 500, "failed", originFetch, details);
    throw error;
  }
}
