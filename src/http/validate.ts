import { Lease } from "../lease/lease.js";
import { type Answer, contentLength, notModified, serve } from "./answer.js";
import { type Body, LONGEST_BODY_MS, readAll } from "./body.js";
import type { Forwarded } from "./host.js";
import { ask, askAlone, type Inquiry, type Question, timing } from "./inquiry.js";
import type { Interest } from "./interest.js";
import { settle, take } from "./origin-response.js";
import type { Entry } from "./record.js";
import type { Forwarded as Why } from "./rfc/cache-status.js";
import { isNotModified, unconditional } from "./rfc/conditional.js";
import { responseLabels } from "./rfc/invalidation.js";
import { type Fields, hasField, type ResponseHead, toFields } from "./rfc/message.js";
import { type Decision, mayReplaceFailure } from "./rfc/select.js";
import { evaluateStorage } from "./rfc/storable.js";
import { fieldsFromOrigin } from "./rfc/stored-response.js";
import { freshen, freshenFromHead, validationRequest } from "./rfc/validation.js";
import type { Place } from "./store.js";

/** Takes the lease on a stored response. Store errors go to `onError`. @param force also in the pause after a failure */
export async function claim(
  { store, settings }: Inquiry,
  entry: Entry,
  force: boolean,
): Promise<Lease | "taken" | "failed"> {
  // The server would refuse. A pause after a failure, by the server's clock, is only a hint and may be ignored.
  if (!force && entry.leaseUntilMs > settings.clock.now()) return "taken";
  try {
    return (await Lease.claim(store.leases, entry.key, entry.expiresMs, force)) ?? "taken";
  } catch (error) {
    settings.onError(error, { method: "claim", key: entry.key });
    return "failed";
  }
}

/** A stored response to validate, and the lease on it; without a lease the result is not stored. */
export interface Validation {
  readonly entry: Entry;
  readonly place: Place;
  readonly lease: Lease | undefined;
  readonly decision: Extract<Decision, { ageMs: number }>;
}

/** Validates a stored response at the origin, and answers with the result. RFC 9111 §4.3. */
export async function validate(inquiry: Inquiry, validation: Validation): Promise<Answer> {
  const { asked } = inquiry;
  const { entry, decision, lease, place } = validation;
  const question = ask(inquiry, lease, place);
  const how = whyOf(decision);
  let got: Forwarded | undefined;
  try {
    got = await forwardUnlessReplaced(inquiry, entry, validationRequest(asked.fields, entry.head), question);
  } catch (error) {
    settle(inquiry, 500, "failed", question);
    throw error;
  }
  if (!got) {
    settle(inquiry, 500, "failed", question);
    return serve(inquiry, entry, decision);
  }
  const { response, failed, preset } = got;
  if (failed || response.status !== 304) return take(inquiry, got, question, { how });
  return freshened(inquiry, validation, question, { status: 304, fields: toFields(response.headers), preset }, how);
}

/** Why a stored response can't be used without validation. */
export function whyOf(decision: Validation["decision"]): "request" | "stale" {
  return decision.action === "validate" && decision.why === "request" ? "request" : "stale";
}

/** The origin's response; `undefined` where the origin fails and the stored response replaces it. @throws the host's error */
export async function forwardUnlessReplaced(
  inquiry: Inquiry,
  entry: Entry,
  fields: Fields,
  { interest }: Question,
): Promise<Forwarded | undefined> {
  let got: Forwarded;
  try {
    got = await inquiry.forward(fields, interest);
  } catch (error) {
    if (mayReplace(inquiry, entry, "unreachable")) return undefined;
    throw error;
  }
  const { response, failed } = got;
  if (!mayReplace(inquiry, entry, failed ? "unreachable" : { status: response.status })) return got;
  interest.end();
  response.body?.cancel().catch(() => {});
  return undefined;
}

async function freshened(
  inquiry: Inquiry,
  { entry, decision }: Validation,
  question: Question,
  got: ResponseHead,
  how: "request" | "stale",
): Promise<Answer> {
  const { asked, settings, publisher } = inquiry;
  const result = freshen(entry.head, asked, got, timing(question, inquiry), settings.policy);
  if (result.outcome === "mismatch") return askAnew(inquiry, entry, decision, question, how);
  const { lease, place, stamp, interest } = question;
  interest.settle();
  const isStored = result.outcome === "updated" && lease !== undefined && place !== undefined;
  const member = inquiry.status({ how, forwardedStatus: 304, stored: isStored });
  // The origin has set these cookies for this client alone.
  const cookies = got.fields.filter(([name]) => name === "set-cookie");
  if (result.outcome !== "updated") {
    end(inquiry, question, result.outcome);
    const head = { ...entry.head, fields: result.fields };
    return serve(inquiry, { ...entry, head }, decision, { member, ageMs: 0, cookies });
  }
  if (isStored) {
    const storing = { request: asked, lease, place, stamp, preset: got.preset };
    inquiry.inBackground(publisher.freshen(storing, entry, result.stored), "store");
  }
  const head = { ...entry.head, ...result.stored };
  return serve(inquiry, { ...entry, head }, decision, { member, ageMs: result.stored.initialAgeMs, cookies });
}

/** Ends the lease of a validation whose result is not stored. */
function end(inquiry: Inquiry, { lease, interest }: Question, outcome: "once" | "last" | "mismatch"): void {
  interest.settle();
  if (lease) inquiry.inBackground(outcome === "once" ? lease.yield(0) : lease.drop(), "settle");
}

/**
 * The 304 is about another response than the stored one, so the origin is asked again without conditions. Where the host
 * can't, the stored response is used for this request alone.
 */
async function askAnew(
  inquiry: Inquiry,
  entry: Entry,
  decision: Validation["decision"],
  question: Question,
  how: "request" | "stale",
): Promise<Answer> {
  end(inquiry, question, "mismatch");
  const { asked } = inquiry;
  const again = ask(inquiry, undefined, undefined);
  const got = await inquiry.again(unconditional(asked.fields), unconditional(inquiry.sent), again.interest);
  if (got) return take(inquiry, got, again, { how });
  return serve(inquiry, entry, decision, {
    member: inquiry.status({ how, forwardedStatus: 304 }),
    ageMs: decision.ageMs,
  });
}

function mayReplace(
  { wishes, settings }: Inquiry,
  entry: Entry,
  failure: Parameters<typeof mayReplaceFailure>[1],
): boolean {
  const candidate = { stored: entry.head, invalid: entry.invalid };
  return mayReplaceFailure(candidate, failure, wishes, settings.policy, settings.clock.now());
}

/** Credentials. A request without a client has none, so it can't ask for a response that they select. */
const CREDENTIALS = ["authorization", "cookie"];

/** Whether a stored response can be validated in the background, by a request without a client. */
export function canRefresh(inquiry: Inquiry, entry: Entry): boolean {
  const { host, settings } = inquiry;
  const carried = refreshFields(inquiry.sent, inquiry, entry);
  return (
    host.again !== undefined &&
    !settings.awaitBackground &&
    !CREDENTIALS.some((name) => hasField(carried, name) || entry.head.vary.includes(name))
  );
}

/** The fields that the key was made of, besides the target. A key that the host has made may depend on any field. */
function refreshFields(fields: Fields, { hasOwnKey }: Inquiry, { head }: Entry): Fields {
  if (hasOwnKey) return unconditional(fields);
  return fields.filter(([name]) => name === "host" || head.vary.includes(name));
}

/** Validates a stored response in the background. Rejects when that fails. */
export async function refresh(inquiry: Inquiry, entry: Entry, place: Place, lease: Lease): Promise<void> {
  const { asked, settings, publisher } = inquiry;
  const selecting = refreshFields(asked.fields, inquiry, entry);
  const request = { method: "GET", url: asked.url, fields: selecting };
  const question = askAlone(inquiry, lease, place);
  const { interest } = question;
  const discard = (body: Body | null): Promise<void> | undefined => {
    interest.end();
    return body?.cancel();
  };
  try {
    const sent = refreshFields(inquiry.sent, inquiry, entry);
    const work = inquiry.again(validationRequest(selecting, entry.head), sent, interest);
    const got = await unlessEnded(work, interest);
    if (!got || got.failed || got.response.status >= 500) {
      await discard(got?.response.body ?? null);
      return await lease.yield(settings.retryAfterMs);
    }
    const { response, preset } = got;
    const head = { status: response.status, fields: toFields(response.headers), preset };
    const times = timing(question, inquiry);
    if (response.status === 304) {
      const result = freshen(entry.head, request, head, times, settings.policy);
      return result.outcome === "updated"
        ? await publisher.freshen({ request, lease, place, stamp: question.stamp, preset }, entry, result.stored)
        : await lease.drop();
    }
    const result = evaluateStorage(request, head, times, settings.policy);
    const labels = responseLabels(head.fields, preset);
    if (!result.storable || !labels || hasField(head.fields, "x-hono-already-sent")) {
      await discard(response.body);
      return await publisher.markUncacheable(lease);
    }
    const { maxBodySize: limit, clock } = settings;
    lease.renewFor(LONGEST_BODY_MS);
    const body = await readAll(response.body, { limit, clock, interest, expected: contentLength(head.fields) });
    if (body instanceof Uint8Array) {
      await publisher.store({ request, stored: result.stored, labels, stamp: question.stamp, lease, place }, body);
    } else if (body === "too-large") await publisher.markUncacheable(lease);
    else await lease.yield(settings.retryAfterMs);
  } catch (error) {
    await lease.yield(settings.retryAfterMs);
    throw error;
  } finally {
    interest.settle();
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
export async function head(inquiry: Inquiry, how: Why): Promise<Answer> {
  const { interest } = ask(inquiry, undefined, undefined);
  return passOn(inquiry, await inquiry.forward(inquiry.asked.fields, interest), how);
}

/** Forwards a HEAD, whose response also updates or invalidates the stored response to GET. RFC 9111 §4.3.5. */
export async function validateByHead(inquiry: Inquiry, known: Known): Promise<Answer> {
  const question = ask(inquiry, undefined, known.place);
  // The response must not depend on this client's conditions, as it updates the stored one.
  const fields = unconditional(inquiry.asked.fields);
  const forwarded = await forwardUnlessReplaced(inquiry, known.entry, fields, question);
  if (!forwarded) return serve(inquiry, known.entry, known.decision);
  if (!forwarded.failed) await learn(inquiry, known, forwarded, question);
  const answer = passOn(inquiry, forwarded, whyOf(known.decision));
  const selected = { ...answer, responseTimeMs: inquiry.settings.clock.now() };
  return isNotModified(inquiry.asked.fields, selected) ? notModified(answer.fields) : answer;
}

async function learn(
  inquiry: Inquiry,
  { entry, place }: Known,
  { response, preset }: Forwarded,
  question: Question,
): Promise<void> {
  const { asked, settings, publisher, store } = inquiry;
  const got = { status: response.status, fields: toFields(response.headers), preset };
  const result = freshenFromHead(entry.head, asked, got, timing(question, inquiry), settings.policy);
  if (result?.outcome === "stale") await inquiry.inBackground(store.soften(entry.key), "head");
  if (result?.outcome !== "updated") return;
  const work = async (): Promise<void> => {
    const lease = await claim(inquiry, entry, true);
    if (!(lease instanceof Lease)) return;
    const storing = { request: asked, lease, place, stamp: question.stamp, preset };
    await publisher.freshen(storing, entry, result.stored);
  };
  await inquiry.inBackground(work(), "head");
}

function passOn(inquiry: Inquiry, { response }: Forwarded, how: Why): Answer {
  const fields = fieldsFromOrigin(toFields(response.headers), inquiry.status({ how }));
  return { status: response.status, fields, body: response.body };
}
