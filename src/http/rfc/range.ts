import { dateMs, parseHttpDate } from "./age.js";
import { parseEntityTag, type Selected, stronglyEqual, unconditional } from "./conditional.js";
import { type Fields, fieldValue, withField, withoutFields } from "./message.js";

/** Which part of a body to send. `end` is not part of it. */
export type RangeAnswer =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly start: number; readonly end: number }
  | { readonly kind: "unsatisfiable" };

const WHOLE: RangeAnswer = { kind: "whole" };
const UNSATISFIABLE: RangeAnswer = { kind: "unsatisfiable" };
const PART = /^bytes (\d+)-(\d+)\/(\d+)$/i;
const BYTES = /^bytes[ \t]*=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/** What of a response a 416 leaves out: all about the body that isn't sent, and the fields by which other caches would store the 416 for it. */
const NOT_IN_416 = new Set([
  "cache-control",
  "content-digest",
  "content-encoding",
  "content-language",
  "content-length",
  "content-md5",
  "content-range",
  "content-type",
  "etag",
  "expires",
  "last-modified",
  "repr-digest",
]);

/** Digests of the bytes that a message carries: a part has others. RFC 9530 §2. */
const OF_THE_WHOLE: ReadonlySet<string> = new Set(["content-digest", "content-md5"]);

/**
 * How to answer a GET's Range from a complete stored 200. A Range that can't be read, that asks for several ranges
 * (a cache may answer these with all of it), or whose If-Range doesn't hold, counts as absent. RFC 9110 §14.2.
 * @param length of the stored body in bytes
 */
export function answerRange(request: Fields, selected: Selected, length: number): RangeAnswer {
  const range = fieldValue(request, "range");
  if (range === undefined || selected.status !== 200) return WHOLE;
  if (fieldValue(selected.fields, "accept-ranges")?.toLowerCase() === "none") return WHOLE;
  return ifRangeHolds(request, selected) ? parseRange(range, length) : WHOLE;
}

function parseRange(value: string, length: number): RangeAnswer {
  const [, first = "", last = ""] = BYTES.exec(value) ?? [];
  if (first === "" && last === "") return WHOLE;
  if (first === "") return suffix(Number(last), length);
  const start = Number(first);
  if (last !== "" && Number(last) < start) return WHOLE;
  if (start >= length) return UNSATISFIABLE;
  return { kind: "part", start, end: last === "" ? length : Math.min(Number(last) + 1, length) };
}

function suffix(wanted: number, length: number): RangeAnswer {
  if (wanted === 0) return UNSATISFIABLE;
  // Content-Range has no way to write a part of nothing.
  if (length === 0) return WHOLE;
  return { kind: "part", start: Math.max(0, length - wanted), end: length };
}

/** The number of bytes in a 206 of one range whose length as a whole is known; `undefined` for any other response. */
export function partLength({ status, fields }: Pick<Selected, "status" | "fields">): number | undefined {
  const part = status === 206 ? statedPart(fields) : undefined;
  return part && part.end - part.start;
}

function statedPart(fields: Fields): { start: number; end: number; length: number } | undefined {
  const [, first, last, length] = PART.exec(fieldValue(fields, "content-range") ?? "") ?? [];
  if (first === undefined) return undefined;
  return { start: Number(first), end: Number(last) + 1, length: Number(length) };
}

/** Whether a 206 has what its request's Range asks for, no less and no more: it then answers all requests with this Range. RFC 9111 §3.3. */
export function isWantedPart(request: Fields, response: Fields): boolean {
  const part = statedPart(response);
  const size = fieldValue(response, "content-length");
  if (!part || (size !== undefined && size !== String(part.end - part.start))) return false;
  const wanted = parseRange(fieldValue(request, "range") ?? "", part.length);
  return wanted.kind === "part" && wanted.start === part.start && wanted.end === part.end;
}

/**
 * Whether the origin may see a request's Range although its response may be stored: the request asks for one range, under
 * no condition, so that the response depends on the Range alone.
 */
export function asksForPart(request: Fields): boolean {
  const range = fieldValue(request, "range");
  return range !== undefined && BYTES.test(range) && unconditional(request).length === request.length - 1;
}

/** Whether a stored response answers a request: a part doesn't where If-Range asks for the whole of another body. */
export function isAnsweredBy(request: Fields, stored: Selected): boolean {
  return stored.status !== 206 || ifRangeHolds(request, stored);
}

/** A strong entity tag, or a date that is the strong validator which RFC 9110 §8.8.2.2 makes of Last-Modified. RFC 9110 §13.1.5. */
function ifRangeHolds(request: Fields, { fields, responseTimeMs }: Selected): boolean {
  const ifRange = fieldValue(request, "if-range");
  if (ifRange === undefined) return true;
  const etag = fieldValue(fields, "etag");
  if (/^(?:W\/)?"/.test(ifRange)) {
    return etag !== undefined && stronglyEqual(parseEntityTag(ifRange), parseEntityTag(etag));
  }
  const wanted = parseHttpDate(ifRange, responseTimeMs);
  const modified = parseHttpDate(fieldValue(fields, "last-modified") ?? "", responseTimeMs);
  const hasDate = parseHttpDate(fieldValue(fields, "date") ?? "", responseTimeMs) !== undefined;
  if (wanted === undefined || wanted !== modified || !hasDate) return false;
  return dateMs(fields, responseTimeMs) - modified >= 1_000;
}

/** The fields of a 206. RFC 9110 §15.3.7. */
export function partialFields(fields: Fields, { start, end }: { start: number; end: number }, length: number): Fields {
  const sized = withField(withoutFields(fields, OF_THE_WHOLE), "content-length", String(end - start));
  return withField(sized, "content-range", `bytes ${start}-${end - 1}/${length}`);
}

/** The fields of a 416. RFC 9110 §15.5.17. */
export function unsatisfiableFields(fields: Fields, length: number): Fields {
  const kept = fields.filter(([name]) => !NOT_IN_416.has(name) && !name.endsWith("-cache-control"));
  return [...kept, ["content-range", `bytes */${length}`], ["content-length", "0"]];
}
