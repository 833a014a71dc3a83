import { Lease } from "../lease/lease.js";
import { Wait } from "../lease/wait.js";
import { type Answer, gatewayTimeout, NOT_STORED, serve } from "./answer.js";
import { answerFromOrigin } from "./origin-response.js";
import type { Entry } from "./record.js";
import { beginClientFetch, type RequestContext } from "./request-context.js";
import { mayCollapse } from "./rfc/admission.js";
import type { ForwardReason } from "./rfc/cache-status.js";
import { unconditional } from "./rfc/conditional.js";
import { underPreset } from "./rfc/preset.js";
import { decide } from "./rfc/select.js";
import type { LookupResult, PendingRead, StoreLocation } from "./store.js";
import { canRefresh, claim, head, refresh, validate, validateByHead } from "./validate.js";

/** Never sent, as the client has left. */
const CLIENT_GONE: Answer = { status: 499, fields: [], body: null };

/**
 * Answers a GET or HEAD that the cache may handle. @throws the host's error, where no stored response replaces it
 * @param pendingRead a read that has begun already
 */
export async function handle(context: RequestContext, pendingRead?: PendingRead): Promise<Answer> {
  const { store, settings, request, base, host, directives } = context;
  const claims = request.method === "GET" && !directives.noStore && !directives.onlyIfCached;
  let wait: Wait | undefined;
  for (;;) {
    const lookup = await store.find(base, request, claims, wait ? undefined : pendingRead);
    const answer = await answerLookup(context, lookup, wait !== undefined);
    if (answer !== "wait") return answer;
    wait ??= new Wait(settings.clock, settings.collapseMs);
    const signal = host.signal() ?? new AbortController().signal;
    const isTimeLeft = await wait.next(signal).catch(() => undefined);
    if (isTimeLeft === undefined) return CLIENT_GONE;
    if (!isTimeLeft) return miss(context, undefined, undefined, "miss", false);
  }
}

async function answerLookup(
  context: RequestContext,
  lookup: LookupResult,
  hasWaited: boolean,
): Promise<Answer | "wait"> {
  const { request, directives } = context;
  if (lookup.kind === "response") {
    const { entry, location } = lookup;
    const preset = context.host.preset();
    const stored = preset.length > 0 ? underPreset(entry.head, preset, context.settings.policy) : entry.head;
    if (stored) return useResponse(context, { ...entry, head: stored }, location, hasWaited);
    if (directives.onlyIfCached) return gatewayTimeout(context.status(NOT_STORED));
    return replace(context, entry, location, "vary-miss", hasWaited);
  }
  if (directives.onlyIfCached) return gatewayTimeout(context.status(NOT_STORED));
  if (lookup.kind === "failed") return miss(context, undefined, undefined, "miss");
  const how = lookup.location.index ? "vary-miss" : "uri-miss";
  const collapsed = hasWaited ? false : undefined;
  // A response that is being made for a GET will answer a HEAD, too.
  const isAwaited = lookup.kind === "busy" && canWait(context);
  if (request.method === "HEAD" && !isAwaited) return head(context, how);
  switch (lookup.kind) {
    case "busy":
      if (isAwaited) return "wait";
      return miss(context, undefined, lookup.location, how);
    case "purged":
      return replace(context, lookup.entry, lookup.location, how, hasWaited);
    case "uncacheable":
      return miss(context, lookup.lease, lookup.location, how, collapsed);
    case "none":
      return miss(context, lookup.lease, lookup.location, how);
  }
}

/** Asks the origin for a response that replaces one that this request can't use. */
async function replace(
  context: RequestContext,
  entry: Entry,
  location: StoreLocation,
  how: ForwardReason,
  hasWaited: boolean,
): Promise<Answer | "wait"> {
  if (context.request.method === "HEAD") return head(context, how);
  const lease = await claim(context, entry, true);
  if (lease === "taken" && canWait(context)) return "wait";
  return miss(context, lease instanceof Lease ? lease : undefined, location, how, hasWaited ? false : undefined);
}

/** Requests with credentials never wait for the response to another request. */
function canWait({ request, directives }: RequestContext): boolean {
  return mayCollapse(request.fields, directives.noStore);
}

async function useResponse(
  context: RequestContext,
  entry: Entry,
  location: StoreLocation,
  hasWaited: boolean,
): Promise<Answer | "wait"> {
  const { request, settings, directives } = context;
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
    const { ageMs, ttlMs } = decision;
    if (!hasWaited) return serve(context, entry, decision);
    const how = location.index ? "vary-miss" : "uri-miss";
    return serve(context, entry, decision, { member: context.status({ how, ttlMs, collapsed: true }), ageMs });
  }
  if (request.method === "HEAD") return validateByHead(context, { entry, location, decision });
  if (directives.noStore) return validate(context, { entry, location, lease: undefined, decision });
  const lease = await claim(context, entry, true);
  // Another request validates it. This one waits, unless it asked for the origin or the last refresh has just failed.
  const waits = lease === "taken" && decision.why === "stale" && !entry.isPaused && canWait(context);
  if (waits) return "wait";
  return validate(context, { entry, location, lease: lease instanceof Lease ? lease : undefined, decision });
}

function refreshInBackground(context: RequestContext, entry: Entry, location: StoreLocation): void {
  const work = async (): Promise<void> => {
    const lease = await claim(context, entry, false);
    if (lease instanceof Lease) await refresh(context, entry, location, lease);
  };
  context.inBackground(work(), "refresh");
}

async function miss(
  context: RequestContext,
  lease: Lease | undefined,
  location: StoreLocation | undefined,
  how: ForwardReason,
  collapsed?: boolean,
): Promise<Answer> {
  const { request } = context;
  const plain = unconditional(request.fields);
  // Under an uncacheable mark the origin may evaluate conditions and ranges itself. Then nothing is stored.
  const passesOn = lease?.on === "marker" && plain.length < request.fields.length;
  const originFetch = beginClientFetch(context, passesOn ? undefined : lease, location);
  const fields = passesOn ? request.fields : plain;
  try {
    return answerFromOrigin(context, await context.forward(fields, originFetch.interest), originFetch, {
      how,
      collapsed,
    });
  } catch (error) {
    if (lease) context.inBackground(context.publisher.markUncacheable(lease), "settle");
    throw error;
  }
}
