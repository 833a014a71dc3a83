import { type Answer, contentLength, notModified } from "./answer.js";
import { type Body, Collector, LONGEST_BODY_MS, part } from "./body.js";
import type { Forwarded } from "./host.js";
import { type Inquiry, type Question, timing } from "./inquiry.js";
import { NO_BODY } from "./record.js";
import type { Forwarded as Why } from "./rfc/cache-status.js";
import { isNotModified } from "./rfc/conditional.js";
import { isAnsweredFromStore, type Labels, responseLabels } from "./rfc/invalidation.js";
import { type Fields, hasField, type ResponseHead, type Timing, toFields } from "./rfc/message.js";
import { answerRange, partialFields } from "./rfc/range.js";
import { evaluateStorage, type NotStored } from "./rfc/storable.js";
import { fieldsFromOrigin, type StoredResponse } from "./rfc/stored-response.js";

/** Why a request went to the origin, for Cache-Status. */
export interface Way {
  readonly how: Why;
  readonly collapsed?: boolean | undefined;
}

type Keeping =
  | { readonly stored: StoredResponse; readonly labels: Labels }
  | { readonly why: NotStored | "failed" | "labels" | "too-large" | "no-lease" | "sent" };

/** Reasons not to store a response that say nothing about the next response. */
const ABOUT_THE_REQUEST: ReadonlySet<string> = new Set(["authorization"]);

/** Answers the client with the origin's response, and stores that where it is allowed. */
export function take(inquiry: Inquiry, got: Forwarded, question: Question, way: Way): Answer {
  const { response, failed, preset } = got;
  const times = timing(question, inquiry);
  const head: ResponseHead = { status: response.status, fields: toFields(response.headers), preset };
  const keeping = failed ? ({ why: "failed" } as const) : judge(inquiry, head, question, times);
  const isStored = "stored" in keeping;
  const member = inquiry.status({ ...way, stored: isStored, detail: isStored ? undefined : keeping.why });
  const fields = fieldsFromOrigin(head.fields, member);
  if (!isStored && (keeping.why === "sent" || head.status < 200 || head.status > 599)) {
    settle(inquiry, head.status, keeping.why, question);
    return { status: head.status, fields, body: null, untouched: true };
  }
  if (!isStored) {
    settle(inquiry, head.status, keeping.why, question);
    const cancelled = (): void => question.interest.end();
    return present(inquiry, { status: head.status, fields }, { body: response.body, cancelled }, times, failed);
  }
  const body = keep(inquiry, { ...keeping, expected: contentLength(head.fields) }, question, response.body);
  // A body that is collected for the store is read to its end although its reader leaves.
  const cancelled = (): void => {};
  return { ...present(inquiry, { status: head.status, fields }, { body, cancelled }, times, false), isUnderway: true };
}

function judge(inquiry: Inquiry, head: ResponseHead, { lease, place }: Question, times: Timing): Keeping {
  const { asked, settings } = inquiry;
  // The response was already sent over the host's own connection.
  if (hasField(head.fields, "x-hono-already-sent")) return { why: "sent" };
  const result = evaluateStorage(asked, head, times, settings.policy);
  if (!result.storable) return { why: result.why };
  if ((contentLength(head.fields) ?? 0) > settings.maxBodySize) return { why: "too-large" };
  const labels = responseLabels(head.fields, head.preset);
  if (!labels) return { why: "labels" };
  return lease && place ? { stored: result.stored, labels } : { why: "no-lease" };
}

/** Ends the lease where nothing is stored. Waiting requests go on, all at once where the next response is most likely uncacheable, too. */
export function settle(inquiry: Inquiry, status: number, why: string, { lease, interest }: Question): void {
  interest.leaveToClient();
  if (!lease || lease.on === "marker") return;
  const isFailure = why === "failed" || status >= 500;
  const keeps = ABOUT_THE_REQUEST.has(why) || (lease.on === "value" && isFailure);
  const pauseMs = isFailure ? inquiry.settings.retryAfterMs : 0;
  inquiry.inBackground(keeps ? lease.yield(pauseMs) : inquiry.publisher.markUncacheable(lease), "settle");
}

/** Stores the body when it is complete. @returns the body to pass on */
function keep(
  inquiry: Inquiry,
  { stored, labels, expected }: Extract<Keeping, { stored: unknown }> & { expected: number | undefined },
  question: Question,
  body: Body | null,
): Body | null {
  const { asked: request, settings, publisher } = inquiry;
  const { lease, place, stamp, interest } = question;
  if (!lease || !place) return body;
  /** Resolves when the write is sent, so that a client rarely repeats its request before the response is stored. */
  const store = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      const onSent = settings.awaitBackground ? undefined : resolve;
      const work = publisher.store({ request, stored, labels, stamp, lease, place, onSent }, bytes);
      inquiry.inBackground(work, "store").then(resolve);
    });
  if (!body) {
    if (expected) settle(inquiry, 500, "cut-short", question);
    else {
      interest.settle();
      store(NO_BODY);
    }
    return null;
  }
  lease.renewFor(LONGEST_BODY_MS);
  let ended = (): void => {};
  // A host that stops after its background work must not stop before the body ends.
  inquiry.inBackground(new Promise<void>((resolve) => (ended = resolve)), "keep");
  const collector = new Collector(body, {
    limit: settings.maxBodySize,
    expected,
    interest,
    clock: settings.clock,
    done: (collected) => {
      ended();
      if (collected instanceof Uint8Array) return store(collected);
      settle(inquiry, collected === "cut-short" ? 500 : 200, collected, question);
      return undefined;
    },
  });
  return collector.stream;
}

/** Applies the client's conditions and Range, which the origin has not seen, to its response. */
function present(
  { asked }: Inquiry,
  { status, fields }: { status: number; fields: Fields },
  { body, cancelled }: { body: Body | null; cancelled: () => void },
  { responseTimeMs }: Timing,
  failed: boolean,
): Answer {
  const answer = { status, fields, body };
  if (status !== 200 || failed || !isAnsweredFromStore(asked.method)) return answer;
  const selected = { status, fields, responseTimeMs };
  if (isNotModified(asked.fields, selected)) {
    cancelled();
    body?.cancel().catch(() => {});
    return notModified(fields);
  }
  const length = contentLength(fields);
  if (asked.method !== "GET" || !body || length === undefined) return answer;
  const range = answerRange(asked.fields, selected, length);
  if (range.kind !== "part") return answer;
  return {
    status: 206,
    fields: partialFields(fields, range, length),
    body: part(body, range, cancelled),
    isUnderway: true,
  };
}
