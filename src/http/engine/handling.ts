import { Wait } from "../../client/herd/wait.js";
import { mayCollapse } from "../admission.js";
import type { Forwarded as Why } from "../cache-status.js";
import { unconditional } from "../conditional.js";
import { toFields } from "../fields.js";
import { decide } from "../select.js";
import { fieldsFromOrigin } from "../served-fields.js";
import { freshenFromHead } from "../validation.js";
import type { Answer } from "./answer.js";
import { ask, type Inquiry, timing } from "./inquiry.js";
import { Lease } from "./lease.js";
import type { Entry } from "./record.js";
import { serve } from "./serve.js";
import type { Found, Place } from "./store.js";
import { take } from "./take.js";
import { canRefresh, refresh, validate } from "./validate.js";

const GATEWAY_TIMEOUT: Answer = { status: 504, fields: [["content-length", "0"]], body: null };
/** Nobody sees it. */
const CLIENT_GONE: Answer = { status: 499, fields: [], body: null };

/** Answers a GET or HEAD that the cache may handle. @throws what the host throws where nothing stored makes up for it */
export async function handle(inquiry: Inquiry): Promise<Answer> {
  const { store, settings, asked, base, host, wishes } = inquiry;
  const claims = asked.method === "GET" && !wishes.noStore && !wishes.onlyIfCached;
  let wait: Wait | undefined;
  for (;;) {
    const found = await store.find(base, asked.fields, claims);
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
  if (found.kind === "response") return useResponse(inquiry, found.entry, found.place, hasWaited);
  if (wishes.onlyIfCached) return gatewayTimeout(inquiry);
  if (found.kind === "failed") return miss(inquiry, undefined, undefined, "miss");
  const how = found.place.index ? "vary-miss" : "uri-miss";
  const collapsed = hasWaited ? false : undefined;
  if (asked.method === "HEAD") return head(inquiry, how);
  switch (found.kind) {
    case "busy":
      if (canWait(inquiry)) return "wait";
      return miss(inquiry, undefined, found.place, how);
    case "purged": {
      const lease = await claim(inquiry, found.entry, true);
      if (lease === "taken" && canWait(inquiry)) return "wait";
      return miss(inquiry, lease instanceof Lease ? lease : undefined, found.place, how, collapsed);
    }
    case "uncacheable":
      return miss(inquiry, found.lease, found.place, how, collapsed);
    case "none":
      return miss(inquiry, found.lease, found.place, how);
  }
}

/** Never for requests with credentials: they neither wait for others' responses nor need to. */
function canWait({ asked, wishes }: Inquiry): boolean {
  return mayCollapse(asked.fields, wishes.noStore);
}

async function useResponse(inquiry: Inquiry, entry: Entry, place: Place, hasWaited: boolean): Promise<Answer | "wait"> {
  const { asked, settings, wishes } = inquiry;
  const candidate = { stored: entry.head, invalid: entry.invalid };
  const decision = decide(candidate, wishes, settings.policy, settings.clock.now());
  if (decision.action === "gateway-timeout") return gatewayTimeout(inquiry);
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
  if (asked.method === "HEAD") return head(inquiry, decision.why === "request" ? "request" : "stale", entry, place);
  if (wishes.noStore) return validate(inquiry, { entry, place, lease: undefined, decision });
  const lease = await claim(inquiry, entry, true);
  // Another one validates it; who wants an answer of the origin's own, or finds that it fails just now, doesn't wait for that.
  const waits = lease === "taken" && decision.why === "stale" && !entry.rests && canWait(inquiry);
  if (waits) return "wait";
  return validate(inquiry, { entry, place, lease: lease instanceof Lease ? lease : undefined, decision });
}

function gatewayTimeout(inquiry: Inquiry): Answer {
  return {
    ...GATEWAY_TIMEOUT,
    fields: fieldsFromOrigin(GATEWAY_TIMEOUT.fields, inquiry.status({ how: "miss", detail: "only-if-cached" })),
  };
}

async function claim({ store, settings }: Inquiry, entry: Entry, force: boolean): Promise<Lease | "taken" | "failed"> {
  // The server would say no. By its clock, not this one: a rest is only a hint, and may be broken.
  if (!force && entry.leaseUntilMs > settings.clock.now()) return "taken";
  try {
    return (await Lease.claim(store.leases, entry, force)) ?? "taken";
  } catch (error) {
    settings.onError(error, { method: "claim", key: entry.key });
    return "failed";
  }
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
  const { asked, host } = inquiry;
  const question = ask(inquiry, lease, place);
  // Where nothing was stored of late, the origin may as well answer conditions and ranges itself.
  const fields = lease?.on === "mark" ? asked.fields : unconditional(asked.fields);
  try {
    return take(inquiry, await host.forward(fields), question, { how, collapsed });
  } catch (error) {
    if (lease) inquiry.inBackground(inquiry.publisher.markUncacheable(lease), "settle");
    throw error;
  }
}

/** Asks the origin by HEAD; what it says also concerns a stored response to GET. RFC 9111 §4.3.5. */
async function head(inquiry: Inquiry, how: Why, entry?: Entry, place?: Place): Promise<Answer> {
  const { asked, host, settings, publisher, store } = inquiry;
  const question = ask(inquiry, undefined, place);
  const { response, failed } = await host.forward(asked.fields);
  const got = { status: response.status, fields: toFields(response.headers) };
  const result =
    entry && !failed ? freshenFromHead(entry.head, asked, got, timing(question, inquiry), settings.policy) : undefined;
  if (entry && result?.outcome === "stale") await inquiry.inBackground(store.soften(entry.key), "head");
  if (entry && place && result?.outcome === "updated") {
    const work = async (): Promise<void> => {
      const lease = await claim(inquiry, entry, true);
      if (!(lease instanceof Lease)) return;
      await publisher.freshen({ request: asked, lease, place, stamp: question.stamp }, entry, result.stored);
    };
    await inquiry.inBackground(work(), "head");
  }
  return { status: got.status, fields: fieldsFromOrigin(got.fields, inquiry.status({ how })), body: response.body };
}
