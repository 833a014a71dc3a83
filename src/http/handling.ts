import { Lease } from "../lease/lease.js";
import { Wait } from "../lease/wait.js";
import { type Answer, gatewayTimeout, NOT_STORED, serve } from "./answer.js";
import { ask, type Inquiry } from "./inquiry.js";
import { take } from "./origin-response.js";
import type { Entry } from "./record.js";
import { mayCollapse } from "./rfc/admission.js";
import type { Forwarded as Why } from "./rfc/cache-status.js";
import { unconditional } from "./rfc/conditional.js";
import { underPreset } from "./rfc/preset.js";
import { decide } from "./rfc/select.js";
import type { Found, Glance, Place } from "./store.js";
import { canRefresh, claim, head, refresh, validate, validateByHead } from "./validate.js";

/** Never sent, as the client has left. */
const CLIENT_GONE: Answer = { status: 499, fields: [], body: null };

/**
 * Answers a GET or HEAD that the cache may handle. @throws the host's error, where no stored response replaces it
 * @param glance a read that has begun already
 */
export async function handle(inquiry: Inquiry, glance?: Glance): Promise<Answer> {
  const { store, settings, asked, base, host, wishes } = inquiry;
  const claims = asked.method === "GET" && !wishes.noStore && !wishes.onlyIfCached;
  let wait: Wait | undefined;
  for (;;) {
    const found = await store.find(base, asked, claims, wait ? undefined : glance);
    const answer = await act(inquiry, found, wait !== undefined);
    if (answer !== "wait") return answer;
    wait ??= new Wait(settings.clock, settings.collapseMs);
    const signal = host.signal() ?? new AbortController().signal;
    const isTimeLeft = await wait.next(signal).catch(() => undefined);
    if (isTimeLeft === undefined) return CLIENT_GONE;
    if (!isTimeLeft) return miss(inquiry, undefined, undefined, "miss", false);
  }
}

async function act(inquiry: Inquiry, found: Found, hasWaited: boolean): Promise<Answer | "wait"> {
  const { asked, wishes } = inquiry;
  if (found.kind === "response") {
    const { entry, place } = found;
    const preset = inquiry.host.preset();
    const stored = preset.length > 0 ? underPreset(entry.head, preset, inquiry.settings.policy) : entry.head;
    if (stored) return useResponse(inquiry, { ...entry, head: stored }, place, hasWaited);
    if (wishes.onlyIfCached) return gatewayTimeout(inquiry.status(NOT_STORED));
    return replace(inquiry, entry, place, "vary-miss", hasWaited);
  }
  if (wishes.onlyIfCached) return gatewayTimeout(inquiry.status(NOT_STORED));
  if (found.kind === "failed") return miss(inquiry, undefined, undefined, "miss");
  const how = found.place.index ? "vary-miss" : "uri-miss";
  const collapsed = hasWaited ? false : undefined;
  // A response that is being made for a GET will answer a HEAD, too.
  const isAwaited = found.kind === "busy" && canWait(inquiry);
  if (asked.method === "HEAD" && !isAwaited) return head(inquiry, how);
  switch (found.kind) {
    case "busy":
      if (isAwaited) return "wait";
      return miss(inquiry, undefined, found.place, how);
    case "purged":
      return replace(inquiry, found.entry, found.place, how, hasWaited);
    case "uncacheable":
      return miss(inquiry, found.lease, found.place, how, collapsed);
    case "none":
      return miss(inquiry, found.lease, found.place, how);
  }
}

/** Asks the origin for a response that replaces one that this request can't use. */
async function replace(
  inquiry: Inquiry,
  entry: Entry,
  place: Place,
  how: Why,
  hasWaited: boolean,
): Promise<Answer | "wait"> {
  if (inquiry.asked.method === "HEAD") return head(inquiry, how);
  const lease = await claim(inquiry, entry, true);
  if (lease === "taken" && canWait(inquiry)) return "wait";
  return miss(inquiry, lease instanceof Lease ? lease : undefined, place, how, hasWaited ? false : undefined);
}

/** Requests with credentials never wait for the response to another request. */
function canWait({ asked, wishes }: Inquiry): boolean {
  return mayCollapse(asked.fields, wishes.noStore);
}

async function useResponse(inquiry: Inquiry, entry: Entry, place: Place, hasWaited: boolean): Promise<Answer | "wait"> {
  const { asked, settings, wishes } = inquiry;
  const candidate = { stored: entry.head, invalid: entry.invalid };
  const decision = decide(candidate, wishes, settings.policy, settings.clock.now());
  if (decision.action === "gateway-timeout") return gatewayTimeout(inquiry.status(NOT_STORED));
  if (decision.action === "serve") {
    if (decision.revalidate && asked.method === "GET") {
      if (!canRefresh(inquiry, entry)) {
        const lease = await claim(inquiry, entry, false);
        if (lease instanceof Lease) return validate(inquiry, { entry, place, lease, decision });
      } else refreshInBackground(inquiry, entry, place);
    }
    const { ageMs, ttlMs } = decision;
    if (!hasWaited) return serve(inquiry, entry, decision);
    const how = place.index ? "vary-miss" : "uri-miss";
    return serve(inquiry, entry, decision, { member: inquiry.status({ how, ttlMs, collapsed: true }), ageMs });
  }
  if (asked.method === "HEAD") return validateByHead(inquiry, { entry, place, decision });
  if (wishes.noStore) return validate(inquiry, { entry, place, lease: undefined, decision });
  const lease = await claim(inquiry, entry, true);
  // Another request validates it. This one waits, unless it asked for the origin or the last refresh has just failed.
  const waits = lease === "taken" && decision.why === "stale" && !entry.rests && canWait(inquiry);
  if (waits) return "wait";
  return validate(inquiry, { entry, place, lease: lease instanceof Lease ? lease : undefined, decision });
}

function refreshInBackground(inquiry: Inquiry, entry: Entry, place: Place): void {
  const work = async (): Promise<void> => {
    const lease = await claim(inquiry, entry, false);
    if (lease instanceof Lease) await refresh(inquiry, entry, place, lease);
  };
  inquiry.inBackground(work(), "refresh");
}

async function miss(
  inquiry: Inquiry,
  lease: Lease | undefined,
  place: Place | undefined,
  how: Why,
  collapsed?: boolean,
): Promise<Answer> {
  const { asked } = inquiry;
  const plain = unconditional(asked.fields);
  // Under an uncacheable mark the origin may evaluate conditions and ranges itself. Then nothing is stored.
  const passesOn = lease?.on === "marker" && plain.length < asked.fields.length;
  const question = ask(inquiry, passesOn ? undefined : lease, place);
  const fields = passesOn ? asked.fields : plain;
  try {
    return take(inquiry, await inquiry.forward(fields, question.interest), question, { how, collapsed });
  } catch (error) {
    if (lease) inquiry.inBackground(inquiry.publisher.markUncacheable(lease), "settle");
    throw error;
  }
}
