import { formatHttpDate } from "../../../src/http/rfc/age.js";
import {
  type Fields,
  type RequestHead,
  type ResponseHead,
  type Timing,
  toFields,
} from "../../../src/http/rfc/message.js";
import { makePolicy, type PolicyOptions } from "../../../src/http/rfc/policy.js";
import { evaluateStorage, type Storability } from "../../../src/http/rfc/storable.js";
import type { StoredResponse } from "../../../src/http/rfc/stored-response.js";

/** A whole second, so that an HTTP-date can say it. */
export const NOW = Date.UTC(2026, 4, 1, 12, 0, 0);
export const URL_OF_TESTS = "https://example.com/things?b=2&a=1";
export const SECOND = 1_000;
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

export type Lines = Record<string, string | readonly string[]>;

/** Fields of `{ name: value }`, or `{ name: [line, line] }`. */
export function fields(lines: Lines = {}): Fields {
  return toFields(
    Object.entries(lines).flatMap(([name, values]) =>
      [values].flat().map((value) => [name, String(value)] as [string, string]),
    ),
  );
}

export function request(lines: Lines = {}, method = "GET", url = URL_OF_TESTS): RequestHead {
  return { method, url, fields: fields(lines) };
}

/** With the Date of its arrival, unless it has another. */
export function response(lines: Lines = {}, status = 200): ResponseHead {
  return { status, fields: fields({ date: date(0), ...lines }) };
}

/** The HTTP-date so many seconds from now. */
export function date(seconds: number): string {
  return formatHttpDate(NOW + seconds * SECOND);
}

export const AT_ONCE: Timing = { requestTimeMs: NOW, responseTimeMs: NOW };

export function evaluate(
  got: ResponseHead,
  options: PolicyOptions = {},
  asked: RequestHead = request(),
  timing: Timing = AT_ONCE,
): Storability {
  return evaluateStorage(asked, got, timing, makePolicy(options));
}

/** Why a response is not stored; `undefined` when it is. */
export function whyNot(
  lines: Lines,
  status = 200,
  options: PolicyOptions = {},
  asked?: RequestHead,
): string | undefined {
  const result = evaluate(response(lines, status), options, asked);
  return result.storable ? undefined : result.why;
}

/** What is stored of a response that may be. */
export function stored(lines: Lines, status = 200, options: PolicyOptions = {}): StoredResponse {
  const result = evaluate(response(lines, status), options);
  if (!result.storable) throw new Error(`not storable: ${result.why}`);
  return result.stored;
}
