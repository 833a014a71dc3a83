import { formatHttpDate } from "./age.js";
import { parseEntityTag, stronglyEqual, unconditional, weaklyEqual } from "./conditional.js";
import { type Fields, fieldValue, hasField, type RequestHead, type ResponseHead, type Timing } from "./message.js";
import type { Policy } from "./policy.js";
import { evaluateStorage, type NotStored, validatorsOf } from "./storable.js";
import { type StoredResponse, updateFields } from "./stored-response.js";

/**
 * A client's request as it validates a stored response: its own conditions and Range make way for the stored validators.
 * Without validators it asks for the response anew. RFC 9111 §4.3.1.
 */
export function validationRequest(request: Fields, stored: StoredResponse): Fields {
  const { etag, lastModified } = validatorsOf(stored.fields);
  const conditions: [string, string][] = [];
  if (etag !== undefined) conditions.push(["if-none-match", etag]);
  if (lastModified !== undefined) conditions.push(["if-modified-since", lastModified]);
  // A part is validated, and replaced, as the part that it is.
  const range = stored.status === 206 ? request.filter(([name]) => name === "range") : [];
  return [...unconditional(request), ...range, ...conditions];
}

/** What became of a stored response after a newer one was seen. */
export type Freshened =
  /** It goes on with these fields. */
  | { readonly outcome: "updated"; readonly stored: StoredResponse }
  /** It goes on with these fields for this request alone, whose credentials or `no-store` keep what is stored as it was. */
  | { readonly outcome: "once"; readonly fields: Fields; readonly why: NotStored }
  /** As before, but nothing of it may be stored any more: to be deleted. */
  | { readonly outcome: "last"; readonly fields: Fields; readonly why: NotStored }
  /** The newer response is about something else, so the stored one can't be used: to be deleted, and asked for anew. */
  | { readonly outcome: "mismatch" };

/** Applies a 304 to the stored response whose validators were sent. RFC 9111 §4.3.4. */
export function freshen(
  stored: StoredResponse,
  request: RequestHead,
  notModified: ResponseHead,
  timing: Timing,
  policy: Policy,
): Freshened {
  if (!isAbout(stored, notModified.fields)) return { outcome: "mismatch" };
  return update(stored, request, notModified, timing, policy);
}

/**
 * Whether a 304 is about the stored response. A strong ETag must be its own; a weak one, or a date, must agree with its own.
 * Without any validator the 304 can only answer the ones that were sent, which were this response's and no other's.
 */
function isAbout({ fields }: StoredResponse, update: Fields): boolean {
  const mine = validatorsOf(fields);
  const other = validatorsOf(update);
  if (other.etag !== undefined) {
    const tag = parseEntityTag(other.etag);
    const equal = tag.weak ? weaklyEqual : stronglyEqual;
    return mine.etag !== undefined && equal(tag, parseEntityTag(mine.etag));
  }
  return other.lastModified === undefined || other.lastModified === mine.lastModified;
}

/** What a HEAD's 200 says of a stored response to GET: `"stale"`, when they differ, and it must be validated. RFC 9111 §4.3.5. */
export function freshenFromHead(
  stored: StoredResponse,
  request: RequestHead,
  head: ResponseHead,
  timing: Timing,
  policy: Policy,
): Freshened | { readonly outcome: "stale" } | undefined {
  if (head.status !== 200 || stored.status !== 200) return undefined;
  const same = ["etag", "last-modified", "content-length"].every((name) => {
    const received = fieldValue(head.fields, name);
    return received === undefined || received === fieldValue(stored.fields, name);
  });
  return same ? update(stored, request, head, timing, policy) : { outcome: "stale" };
}

function update(
  stored: StoredResponse,
  request: RequestHead,
  { fields: newer, preset }: ResponseHead,
  timing: Timing,
  policy: Policy,
): Freshened {
  // Without a Date of its own the newer response was made when it arrived; the stored Date would make it look old. RFC 9110 §6.6.1.
  const dated: Fields = hasField(newer, "date") ? newer : [...newer, ["date", formatHttpDate(timing.responseTimeMs)]];
  const fields = updateFields(stored.fields, dated);
  const response = { status: stored.status, fields, preset };
  const range = request.fields.filter(([name]) => name === "range");
  const general = evaluateStorage({ method: "GET", url: request.url, fields: range }, response, timing, policy);
  if (!general.storable) return { outcome: "last", fields, why: general.why };
  const result = evaluateStorage({ ...request, method: "GET" }, response, timing, policy);
  if (!result.storable) return { outcome: "once", fields, why: result.why };
  return { outcome: "updated", stored: result.stored };
}
