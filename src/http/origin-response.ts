import { type Answer, contentLength, notModified } from "./answer.js";
import { type Body, Collector, LONGEST_BODY_MS, part } from "./body.js";
import type { Forwarded } from "./host.js";
import { NO_BODY } from "./record.js";
import { type OriginFetch, type RequestContext, timing } from "./request-context.js";
import type { ForwardReason } from "./rfc/cache-status.js";
import { isNotModified } from "./rfc/conditional.js";
import { isAnsweredFromStore, type Labels, responseLabels } from "./rfc/invalidation.js";
import { type Fields, hasField, type ResponseHead, type Timing, toFields } from "./rfc/message.js";
import { answerRange, partialFields } from "./rfc/range.js";
import { evaluateStorage, type NotStored } from "./rfc/storable.js";
import { fieldsFromOrigin, type StoredResponse } from "./rfc/stored-response.js";

/** Why a request went to the origin, for Cache-Status. */
export interface ForwardDetails {
  readonly how: ForwardReason;
  readonly collapsed?: boolean | undefined;
}

type StorageDecision =
  | { readonly stored: StoredResponse; readonly labels: Labels }
  | { readonly why: NotStored | "failed" | "labels" | "too-large" | "no-lease" | "sent" };

/** Reasons not to store a response that say nothing about the next response. */
const ABOUT_THE_REQUEST: ReadonlySet<string> = new Set(["authorization"]);

/** Answers the client with the origin's response, and stores that where it is allowed. */
export function answerFromOrigin(
  context: RequestContext,
  got: Forwarded,
  originFetch: OriginFetch,
  details: ForwardDetails,
): Answer {
  const { response, failed, preset } = got;
  const times = timing(originFetch, context);
  const head: ResponseHead = { status: response.status, fields: toFields(response.headers), preset };
  const decision = failed ? ({ why: "failed" } as const) : decideStorage(context, head, originFetch, times);
  const isStored = "stored" in decision;
  const member = context.status({ ...details, stored: isStored, detail: isStored ? undefined : decision.why });
  const fields = fieldsFromOrigin(head.fields, member);
  if (!isStored && (decision.why === "sent" || head.status < 200 || head.status > 599)) {
    releaseLease(context, head.status, decision.why, originFetch);
    return { status: head.status, fields, body: null, untouched: true };
  }
  if (!isStored) {
    releaseLease(context, head.status, decision.why, originFetch);
    const cancelled = (): void => originFetch.interest.end();
    return answerConditionally(
      context,
      { status: head.status, fields },
      { body: response.body, cancelled },
      times,
      failed,
    );
  }
  const body = storeBody(context, { ...decision, expected: contentLength(head.fields) }, originFetch, response.body);
  // A body that is collected for the store is read to its end although its reader leaves.
  const cancelled = (): void => {};
  return {
    ...answerConditionally(context, { status: head.status, fields }, { body, cancelled }, times, false),
    isUnderway: true,
  };
}

function decideStorage(
  context: RequestContext,
  head: ResponseHead,
  { lease, location }: OriginFetch,
  times: Timing,
): StorageDecision {
  const { request, settings } = context;
  // The response was already sent over the host's own connection.
  if (hasField(head.fields, "x-hono-already-sent")) return { why: "sent" };
  const result = evaluateStorage(request, head, times, settings.policy);
  if (!result.storable) return { why: result.why };
  if ((contentLength(head.fields) ?? 0) > settings.maxBodySize) return { why: "too-large" };
  const labels = responseLabels(head.fields, head.preset);
  if (!labels) return { why: "labels" };
  return lease && location ? { stored: result.stored, labels } : { why: "no-lease" };
}

/** Ends the lease where nothing is stored. Waiting requests go on, all at once where the next response is most likely uncacheable, too. */
export function releaseLease(
  context: RequestContext,
  status: number,
  why: string,
  { lease, interest }: OriginFetch,
): void {
  interest.leaveToClient();
  if (!lease || lease.on === "marker") return;
  const isFailure = why === "failed" || status >= 500;
  const keeps = ABOUT_THE_REQUEST.has(why) || (lease.on === "value" && isFailure);
  const pauseMs = isFailure ? context.settings.retryAfterMs : 0;
  context.inBackground(keeps ? lease.yield(pauseMs) : context.publisher.markUncacheable(lease), "settle");
}

/** Stores the body when it is complete. @returns the body to pass on */
function storeBody(
  context: RequestContext,
  { stored, labels, expected }: Extract<StorageDecision, { stored: unknown }> & { expected: number | undefined },
  originFetch: OriginFetch,
  body: Body | null,
): Body | null {
  const { request, settings, publisher } = context;
  const { lease, location, stamp, interest } = originFetch;
  if (!lease || !location) return body;
  /** Resolves when the write is sent, so that a client rarely repeats its request before the response is stored. */
  const store = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      const onSent = settings.awaitBackground ? undefined : resolve;
      const work = publisher.store({ request, stored, labels, stamp, lease, location, onSent }, bytes);
      context.inBackground(work, "store").then(resolve);
    });
  if (!body) {
    if (expected) releaseLease(context, 500, "cut-short", originFetch);
    else {
      interest.complete();
      store(NO_BODY);
    }
    return null;
  }
  lease.renewFor(LONGEST_BODY_MS);
  let ended = (): void => {};
  // A host that stops after its background work must not stop before the body ends.
  context.inBackground(new Promise<void>((resolve) => (ended = resolve)), "keep");
  const collector = new Collector(body, {
    limit: settings.maxBodySize,
    expected,
    interest,
    clock: settings.clock,
    done: (collected) => {
      ended();
      if (collected instanceof Uint8Array) return store(collected);
      releaseLease(context, collected === "cut-short" ? 500 : 200, collected, originFetch);
      return undefined;
    },
  });
  return collector.stream;
}

/** Applies the client's conditions and Range, which the origin has not seen, to its response. */
function answerConditionally(
  { request }: RequestContext,
  { status, fields }: { status: number; fields: Fields },
  { body, cancelled }: { body: Body | null; cancelled: () => void },
  { responseTimeMs }: Timing,
  failed: boolean,
): Answer {
  const answer = { status, fields, body };
  if (status !== 200 || failed || !isAnsweredFromStore(request.method)) return answer;
  const selected = { status, fields, responseTimeMs };
  if (isNotModified(request.fields, selected)) {
    cancelled();
    body?.cancel().catch(() => {});
    return notModified(fields);
  }
  const length = contentLength(fields);
  if (request.method !== "GET" || !body || length === undefined) return answer;
  const range = answerRange(request.fields, selected, length);
  if (range.kind !== "part") return answer;
  return {
    status: 206,
    fields: partialFields(fields, range, length),
    body: part(body, range, cancelled),
    isUnderway: true,
  };
}
