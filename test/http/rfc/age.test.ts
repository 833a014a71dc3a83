import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ageSeconds, currentAgeMs, initialAgeMs } from "../../../src/http/rfc/age.js";
import { AT_ONCE, date, fields, type Lines, NOW, SECOND } from "./exchanges.js";

const initial = (lines: Lines, requestTimeMs = NOW): number =>
  initialAgeMs(fields(lines), { requestTimeMs, responseTimeMs: NOW });

describe("age (RFC 9111 §4.2.3)", () => {
  it("is what Date says", () => expect(initial({ date: date(-10) })).toBe(10 * SECOND));

  it("is nothing for a Date ahead of the clock", () => expect(initial({ date: date(10) })).toBe(0));

  it("is what Age says, and the time that the response took", () => {
    expect(initial({ date: date(0), age: "15" })).toBe(15 * SECOND);
    expect(initial({ date: date(0), age: "15" }, NOW - 2_500)).toBe(17_500);
    expect(initial({ date: date(0) }, NOW - 2_500)).toBe(2_500);
  });

  it("is the larger of the two", () => {
    expect(initial({ date: date(-10), age: "25" })).toBe(25 * SECOND);
    expect(initial({ date: date(-30), age: "25" })).toBe(30 * SECOND);
    expect(initial({ date: date(10), age: "15" })).toBe(15 * SECOND);
  });

  it("counts from the arrival, where Date is absent or none (RFC 9110 §6.6.1)", () => {
    expect(initial({})).toBe(0);
    expect(initial({ date: "foo", age: "3" })).toBe(3 * SECOND);
  });

  it("grows while the response is stored", () => {
    expect(currentAgeMs({ initialAgeMs: 30_000, responseTimeMs: NOW }, NOW + 3_000)).toBe(33_000);
  });

  it("doesn't shrink when the clock is set back", () => {
    expect(currentAgeMs({ initialAgeMs: 30_000, responseTimeMs: NOW }, NOW - 60_000)).toBe(30_000);
    expect(initial({ date: date(0), age: "7" }, NOW + 5_000)).toBe(7 * SECOND);
  });

  it("is written in whole seconds, rounded down, up to 2^31 (§1.2.2)", () => {
    expect([0, 999, 1_000, 3_999, 1e15].map(ageSeconds)).toEqual([0, 0, 1, 3, 2 ** 31]);
  });

  it("is never negative, nor not a number", () => {
    const time = fc.integer({ min: 0, max: 8.64e15 });
    const line = fc.oneof(
      fc.string(),
      fc.nat().map(String),
      time.map((ms) => new Date(ms).toUTCString()),
    );
    fc.assert(
      fc.property(
        fc.array(line),
        fc.array(line),
        time,
        time,
        time,
        (dates, ages, requestTimeMs, responseTimeMs, now) => {
          const initialMs = initialAgeMs(fields({ date: dates, age: ages }), { requestTimeMs, responseTimeMs });
          expect(currentAgeMs({ initialAgeMs: initialMs, responseTimeMs }, now)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });
});

describe("the Age field (RFC 9111 §5.1)", () => {
  const read = (age: string | string[]): number => initialAgeMs(fields({ date: date(0), age }), AT_ONCE) / SECOND;

  it.each(["abc", "-7200", "7200.0", "7200;foo=bar", "", "'5'", '"5"', "5 0"])("is ignored when it is %j", (age) => {
    expect(read(age)).toBe(0);
  });

  it("counts by its first member, on one line or on several", () => {
    expect(read("7200, 0")).toBe(7_200);
    expect(read("0, 7200")).toBe(0);
    expect(read(["7200", "0"])).toBe(7_200);
    expect(read(["0", "7200"])).toBe(0);
    expect(read(["x", "7200"])).toBe(0);
  });

  it("is infinite when it is larger than a cache can represent (§1.2.2)", () => {
    for (const age of ["2147483647", "2147483648", "2147483649", "9".repeat(30)]) {
      expect(read(age)).toBeGreaterThanOrEqual(2 ** 31 - 1);
    }
  });
});
