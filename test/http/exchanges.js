import { toFields } from "../../src/http/fields.js";
import { formatHttpDate } from "../../src/http/http-date.js";
import { makePolicy } from "../../src/http/policy.js";
import { evaluateStorage } from "../../src/http/storable.js";
/** A whole second, so that an HTTP-date can say it. */
export const NOW = Date.UTC(2026, 4, 1, 12, 0, 0);
export const URL_OF_TESTS = "https://example.com/things?b=2&a=1";
export const SECOND = 1_000;
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
/** Fields of `{ name: value }`, or `{ name: [line, line] }`. */
export function fields(lines = {}) {
    return toFields(Object.entries(lines).flatMap(([name, values]) => [values].flat().map((value) => [name, String(value)])));
}
export function request(lines = {}, method = "GET", url = URL_OF_TESTS) {
    return { method, url, fields: fields(lines) };
}
/** With the Date of its arrival, unless it has another. */
export function response(lines = {}, status = 200) {
    return { status, fields: fields({ date: date(0), ...lines }) };
}
/** The HTTP-date so many seconds from now. */
export function date(seconds) {
    return formatHttpDate(NOW + seconds * SECOND);
}
export const AT_ONCE = { requestTimeMs: NOW, responseTimeMs: NOW };
export function evaluate(got, options = {}, asked = request(), timing = AT_ONCE) {
    return evaluateStorage(asked, got, timing, makePolicy(options));
}
/** Why a response is not stored; `undefined` when it is. */
export function whyNot(lines, status = 200, options = {}, asked) {
    const result = evaluate(response(lines, status), options, asked);
    return result.storable ? undefined : result.why;
}
/** What is stored of a response that may be. */
export function stored(lines, status = 200, options = {}) {
    const result = evaluate(response(lines, status), options);
    if (!result.storable)
        throw new Error(`not storable: ${result.why}`);
    return result.stored;
}
