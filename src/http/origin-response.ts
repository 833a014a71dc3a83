import { nextTurn } from "../core/async.js";
import { type Answer, contentLength, notModified, type PassedOn } from "./answer.js";
import { type Body, Collector, LONGEST_BODY_MS, part } from "./body.js";
import type { Forwarded } from "./host.js";
import { warnOfEcho } from "./publish.js";
import { NO_BODY } from "./record.js";
import { type OriginFetch, type RequestContext, timing } from "./request-context.js";
import type { ForwardReason } from "./rfc/cache-status.js";
import { isNotModified } from "./rfc/conditional.js";
import { isAnsweredFromStore, type Labels, responseLabels } from "./rfc/invalidation.js";
import { type Fields, fieldValue, hasField, type ResponseHead, type Timing, toFields } from "./rfc/message.js";
import { answerRange, partialFields, partLength } from "./rfc/range.js";
import { isError, isGone, isServerError } from "./rfc/statuses.js";
import { evaluateStorage, type NotStored } from "./rfc/storable.js";
import { fieldsFromOrigin, type StoredResponse } from "./rfc/stored-response.js";
import type { StorageRules } from "./routes.js";

/** Why a request went to the origin. */
export interface ForwardDetails {
  readonly how: ForwardReason;
  /** A stored response is usable whatever the origin answers: it is fresh, and this request alone can't use it. @default false */
  readonly keepsStored?: boolean;
  /** The last response for this URL was too large. One without a length is then not collected. @default false */
  readonly wasLarge?: boolean;
  /** The origin saw the request's Range. Then only a part may be stored, as that alone is selected by it. @default false */
  readonly sentRange?: boolean;
}

type StorageDecision =
  | { readonly stored: StoredResponse; readonly labels: Labels }
  | { readonly why: NotStored | "failed" | "labels" | "too-large" | "no-lease" | "sent" | "error" | "range" };

/**
 * Answers the client with the origin's response, and stores that where it is allowed. A response that is not stored is
 * passed on as it is: reading its body would copy it.
 */
export async function answerFromOrigin(
  context: RequestContext,
  got: Forwarded,
  originFetch: OriginFetch,
  details: ForwardDetails,
): Promise<Answer | PassedOn> {
  const { response, failed, preset } = got;
  const times = timing(originFetch, context);
  const storage = storageOf(context, got);
  const head: ResponseHead = { status: response.status, fields: toFields(response.headers), preset };
  const decision = unstorable(got) ?? decideStorage(context, head, originFetch, { times, storage, details });
  const { how } = details;
  const { settings } = context;
  const collapsed = context.collapsing.hasWaited ? false : undefined;
  if (!("stored" in decision)) {
    releaseLease(context, head.status, decision.why, originFetch, details);
    const member = context.status({ how, collapsed, stored: false, detail: decision.why });
    if (decision.why === "sent" || head.status < 200 || head.status > 599) return { forwarded: got, member: undefined };
    const fields = fieldsFromOrigin(head.fields, member, settings.hiddenTagFields);
    const answer = failed
      ? undefined
      : conditionalAnswer(context, { status: head.status, fields }, originFetch, response, times);
    return answer ?? { forwarded: got, member };
  }
  const expected = bodyLength(head);
  const storing = { ...decision, expected, limit: storage.maxBodySize, details };
  const { body, isComplete } = await storeBody(context, storing, originFetch, response.body);
  const member = context.status({ how, collapsed, stored: isComplete });
  const fields = fieldsFromOrigin(head.fields, member, settings.hiddenTagFields);
  const answer = { status: head.status, fields, body };
  // A body that is collected for the store is read to its end although its reader leaves.
  const conditional = conditionalAnswer(context, answer, undefined, { body }, times);
  return { ...(conditional ?? streamed(head, answer)), isUnderway: true };
}

function unstorable({ failed, isSent }: Forwarded): Extract<StorageDecision, { why: unknown }> | undefined {
  if (isSent) return { why: "sent" };
  return failed ? { why: "failed" } : undefined;
}

/** The length that the fields say a body has, in bytes. */
export function bodyLength(head: ResponseHead): number | undefined {
  return partLength(head) ?? contentLength(head.fields);
}

/** How to store a response: by its own options, those of its route, or those of the cache. */
export function storageOf({ settings, request }: RequestContext, { storage }: Forwarded): StorageRules {
  return settings.routes.rulesOf(request.url, storage);
}

/**
 * Keeps Transfer-Encoding, by which Hono's middleware and servers recognise a streamed body: without it they would buffer or
 * compress the body.
 */
function streamed({ status, fields }: ResponseHead, answer: Answer): Answer {
  const value = fieldValue(fields, "transfer-encoding");
  if (value === undefined || answer.status !== status || answer.body === null) return answer;
  return { ...answer, fields: [...answer.fields, ["transfer-encoding", value]] };
}

function decideStorage(
  context: RequestContext,
  head: ResponseHead,
  { lease, location }: OriginFetch,
  {
    times,
    storage: { policy, maxBodySize },
    details: { keepsStored = false, wasLarge = false, sentRange = false },
  }: { times: Timing; storage: StorageRules; details: ForwardDetails },
): StorageDecision {
  const { request } = context;
  // One request that asks for the origin must not replace a fresh page by an error for all.
  if (keepsStored && isError(head.status) && !isGone(head.status)) return { why: "error" };
  if (sentRange !== (head.status === 206)) return { why: "range" };
  const result = evaluateStorage(request, head, times, policy);
  if (!result.storable) return { why: result.why };
  const length = bodyLength(head);
  if (length === undefined ? wasLarge : length > maxBodySize) return { why: "too-large" };
  const labels = responseLabels(head.fields, head.preset);
  if (!labels) return { why: "labels" };
  return lease && location ? { stored: result.stored, labels } : { why: "no-lease" };
}

/**
 * Ends the lease where nothing is stored. What is stored stays as it is, unless it is stale and the origin has answered
 * for its URL. Of the waiting requests one goes on, or all of them where the next response can't be stored either.
 */
export function releaseLease(
  context: RequestContext,
  status: number,
  why: string,
  { lease, interest }: OriginFetch,
  { keepsStored = false }: Pick<ForwardDetails, "keepsStored"> = {},
): void {
  interest.leaveToClient();
  if (!lease || lease.on === "marker") return;
  const { settings, collapsing, publisher } = context;
  const isFailure = why === "failed" || isServerError(status);
  const isOfOneRequest = why === "authorization" || (isError(status) && !isServerError(status) && !isGone(status));
  // After a second such answer in a row the URL most likely always answers so.
  const isRepeated = isOfOneRequest && lease.on === "placeholder" && collapsing.hasWaited;
  const yields = isFailure || (isOfOneRequest && !isRepeated) || (lease.on === "value" && keepsStored);
  const pauseMs = lease.on === "value" && !keepsStored && why !== "authorization" ? settings.retryAfterMs : 0;
  const work = yields ? lease.yield(pauseMs) : publisher.markUncacheable(lease, why === "too-large");
  void context.inBackground(work, "settle");
}

/** Stores the body when it is complete. @returns the body to pass on, and whether it is known to be complete */
async function storeBody(
  context: RequestContext,
  {
    stored,
    labels,
    expected,
    limit,
    details,
  }: Extract<StorageDecision, { stored: unknown }> & {
    readonly expected: number | undefined;
    readonly limit: number;
    readonly details: ForwardDetails;
  },
  originFetch: OriginFetch,
  body: Body | null,
): Promise<{ readonly body: Body | null; readonly isComplete: boolean }> {
  const { request, settings, publisher } = context;
  const { lease, location, stamp, interest } = originFetch;
  if (!lease || !location) return { body, isComplete: false };
  /** Resolves when the write is sent, so that a client rarely repeats its request before the response is stored. */
  const store = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      const onSent = settings.awaitBackground ? undefined : resolve;
      const work = publisher.store({ request, stored, labels, stamp, lease, location, onSent }, bytes);
      void context.inBackground(work, "store").then(resolve);
    });
  if (!body) {
    if (expected) releaseLease(context, 500, "cut-short", originFetch, details);
    else {
      interest.complete();
      void store(NO_BODY);
    }
    return { body: null, isComplete: !expected };
  }
  lease.renewFor(LONGEST_BODY_MS);
  let ended = (): void => {};
  // A host that stops after its background work must not stop before the body ends.
  void context.inBackground(new Promise<void>((resolve) => (ended = resolve)), "keep");
  let isComplete = false;
  const collector = new Collector(body, {
    limit,
    expected,
    interest,
    clock: settings.clock,
    done: (collected) => {
      ended();
      isComplete = collected instanceof Uint8Array;
      if (collected instanceof Uint8Array) {
        if (settings.debug) warnOfEcho(request.fields, stored, collected);
        return store(collected);
      }
      releaseLease(context, collected === "cut-short" ? 500 : 200, collected, originFetch, details);
      return undefined;
    },
  });
  // Most bodies are made already. A body that is still being made can end in many ways, so nothing is claimed of it.
  await nextTurn();
  return { body: collector.stream, isComplete };
}

/**
 * The answer to the client's conditions or Range, which the origin has not seen; `undefined` where they don't change the
 * response.
 * @param originFetch ended when nothing more of the body is needed
 */
function conditionalAnswer(
  { request }: RequestContext,
  { status, fields }: { readonly status: number; readonly fields: Fields },
  originFetch: OriginFetch | undefined,
  response: { readonly body: Body | null },
  { responseTimeMs }: Timing,
): Answer | undefined {
  if (status !== 200 || !isAnsweredFromStore(request.method)) return undefined;
  const selected = { status, fields, responseTimeMs };
  const cancelled = (): void => originFetch?.interest.end();
  if (isNotModified(request.fields, selected)) {
    cancelled();
    response.body?.cancel().catch(() => {});
    return notModified(fields);
  }
  const length = contentLength(fields);
  if (request.method !== "GET" || length === undefined || !hasField(request.fields, "range")) return undefined;
  const range = answerRange(request.fields, selected, length);
  if (range.kind !== "part" || !response.body) return undefined;
  return {
    status: 206,
    fields: partialFields(fields, range, length),
    body: part(response.body, range, cancelled),
    isUnderway: true,
  };
}
