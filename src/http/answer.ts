import { chain, type MaybePromise } from "../core/async.js";
import type { Body } from "./body.js";
import type { Forwarded } from "./host.js";
import type { Entry } from "./record.js";
import type { RequestContext } from "./request-context.js";
import { ageSeconds } from "./rfc/age.js";
import type { Handling } from "./rfc/cache-status.js";
import { isNotModified, notModifiedFields } from "./rfc/conditional.js";
import { type Fields, fieldValue, hasField, type RequestHead } from "./rfc/message.js";
import { answerRange, partialFields, unsatisfiableFields } from "./rfc/range.js";
import { fieldsFromOrigin, fieldsFromStore, servedFields, type Template, withAge } from "./rfc/stored-response.js";

/** A response to a client, before the host turns it into a response of its own. */
export interface Answer {
  readonly status: number;
  readonly fields: Fields;
  readonly body: Uint8Array | Body | null;
  /** The origin is still making the body, for the store or in part: the request that it sees must stay as it is. */
  readonly isUnderway?: boolean;
}

/** The host's own response, to be sent as it is with a member added to its Cache-Status. Its body was not looked at. */
export interface PassedOn {
  readonly forwarded: Forwarded;
  /** `undefined` where nothing may be added. */
  readonly member: string | undefined;
}

/** Statuses that never have a body. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([101, 103, 204, 205, 304]);

/** Applies the request's conditions and Range to a complete response. RFC 9110 §13.2.2. */
export function applyConditions(
  request: RequestHead,
  answer: Answer & { readonly body: Uint8Array | null },
  responseTimeMs: number,
): Answer {
  const selected = { ...answer, responseTimeMs };
  if (isNotModified(request.fields, selected)) return notModified(answer.fields);
  if (request.method === "HEAD" || !answer.body || !hasField(request.fields, "range")) return answer;
  const { body, fields } = answer;
  const range = answerRange(request.fields, selected, body.length);
  if (range.kind === "whole") return answer;
  if (range.kind === "unsatisfiable") {
    return { status: 416, fields: unsatisfiableFields(fields, body.length), body: null };
  }
  const part = partialFields(fields, range, body.length);
  return { status: 206, fields: part, body: body.subarray(range.start, range.end) };
}

export function notModified(fields: Fields): Answer {
  return { status: 304, fields: notModifiedFields(fields), body: null };
}

/** The value of Content-Length; `undefined` when it is absent or invalid. */
export function contentLength(fields: Fields): number | undefined {
  const value = fieldValue(fields, "content-length");
  // Identical values count as one. RFC 9110 §8.6.
  return value !== undefined && /^(\d+)(?:, *\1)*$/.test(value) ? Number.parseInt(value, 10) : undefined;
}

/** For Cache-Status: the request has `only-if-cached`, and no stored response matches it. */
export const NOT_STORED: Handling = { how: "miss", detail: "only-if-cached" };

/** RFC 9111 §5.2.1.7. */
export function gatewayTimeout(member: string): Answer {
  return { status: 504, fields: fieldsFromOrigin([["content-length", "0"]], member), body: null };
}

/** Makes a web response. Lines of one field are joined, except Set-Cookie. */
export function toResponse(answer: Answer, isHead: boolean): Response {
  const { status, body } = answer;
  const whole = isHead || WITHOUT_BODY.has(status) ? null : body;
  const content = whole instanceof Uint8Array ? sendable(answer, whole) : whole;
  const headers = answer instanceof PlainHit ? answer.headers : toHeaders(answer.fields);
  return new Response(content as ConstructorParameters<typeof Response>[0], { status, headers });
}

/** In bytes. Node's HTTP server sends a short text together with the head, in one write, and bytes in a second one. */
const LONGEST_TEXT = 16_384;
const TEXT = /^(?:text\/|application\/(?:[\w.+-]*\+)?(?:json|javascript|xml))/i;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes of an answer as a host sends them fastest: a short text as text. */
export function sendable(answer: Answer, bytes: Uint8Array): string | Uint8Array {
  return bytes.length <= LONGEST_TEXT ? asText(answer, bytes) : bytes;
}

/** Bytes as text, where they are the UTF-8 of a text. A response with text and without Content-Type would be given one. */
function asText(answer: Answer, bytes: Uint8Array): string | Uint8Array {
  const isText = answer instanceof PlainHit ? answer.isText : isOfText(answer.fields);
  if (!isText) return bytes;
  const text = decoder.decode(bytes);
  return text.includes("\ufffd") ? bytes : text;
}

function isOfText(fields: Fields): boolean {
  return TEXT.test(fieldValue(fields, "content-type") ?? "");
}

function toHeaders(fields: Fields): Headers | Record<string, string> {
  return toObject(fields) ?? joined(fields);
}

/** `undefined` where a name comes twice. */
function toObject(fields: Fields): Record<string, string> | undefined {
  const plain: Record<string, string> = {};
  for (const [name, value] of fields) {
    // Also true for a name that every object has, such as `constructor`.
    if (plain[name] !== undefined) return undefined;
    plain[name] = value;
  }
  return plain;
}

function joined(fields: Fields): Headers {
  const headers = new Headers();
  for (const [name, value] of fields) headers.append(name, value);
  return headers;
}

/** The template of a stored response: made once for an entry that requests share. */
export function templateOf(entry: Entry, hidden: readonly string[]): Template {
  const { template } = entry;
  const stored = entry.head.fields;
  if (template?.stored === stored && template.hidden === hidden) return template;
  const served = servedFields(stored, hidden);
  const made = { ...served, stored, hidden, headers: toObject(served.fields), isText: isOfText(stored) };
  entry.template = made;
  return made;
}

/** A stored response as it is. Its fields are listed when they are asked for, as a web response is made without the list. */
export class PlainHit implements Answer {
  readonly status: number;
  readonly body: Uint8Array;
  readonly #template: Template;
  readonly #ageMs: number;
  readonly #member: string;

  /** @param member of Cache-Status */
  constructor(status: number, body: Uint8Array, template: Template, ageMs: number, member: string) {
    this.status = status;
    this.body = body;
    this.#template = template;
    this.#ageMs = ageMs;
    this.#member = member;
  }

  get fields(): Fields {
    return withAge(this.#template, this.#ageMs, this.#member);
  }

  get isText(): boolean {
    return this.#template.isText;
  }

  get headers(): Headers | Record<string, string> {
    const { headers, members } = this.#template;
    if (!headers) return joined(this.fields);
    return { ...headers, age: String(ageSeconds(this.#ageMs)), "cache-status": members + this.#member };
  }
}

/** What a stored response is served with, where it is not a plain hit. */
export interface ServeOptions {
  readonly member: string;
  readonly ageMs: number;
  /** Set-Cookie lines that the origin has just sent to this client. */
  readonly cookies?: Fields;
}

/** Answers a request from a stored response. @throws {DecodeError} */
export function serve(
  context: RequestContext,
  { head, body }: Entry,
  { ageMs, ttlMs }: { readonly ageMs: number; readonly ttlMs: number },
  options?: ServeOptions,
): MaybePromise<Answer> {
  const { request } = context;
  const member = options?.member ?? context.status({ how: "hit", ttlMs });
  const { hiddenTagFields } = context.settings;
  const stored = fieldsFromStore(head.fields, options?.ageMs ?? ageMs, member, hiddenTagFields);
  const fields = options?.cookies ? [...stored, ...options.cookies] : stored;
  const content = head.packed && request.method !== "HEAD" ? context.unpack(body) : body;
  return chain(content, (bytes) =>
    applyConditions(request, { status: head.status, fields, body: bytes }, head.responseTimeMs),
  );
}
