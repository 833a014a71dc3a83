/** Longer decimals are not read as numbers: converting them takes quadratic time. Python refuses them from the same length. */
const MAX_DIGITS = 4_300;
const INTEGER = /^-?\d+$/;
const DECIMAL = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i;
/** What Python's `repr` writes for floats that have no digits. */
const WORDS: ReadonlyMap<string, number> = new Map([
  ["nan", Number.NaN],
  ["inf", Infinity],
  ["-inf", -Infinity],
]);

/** The decimal that stores a number so that INCR and other languages read it; `undefined` for what is no finite number. */
export function encodeNumber(value: unknown): string | undefined {
  if (typeof value === "bigint") {
    const text = value.toString();
    return text.length > MAX_DIGITS ? undefined : text;
  }
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  if (Object.is(value, -0)) return "-0.0";
  // Without an exponent, a large float would read as an integer and come back as a bigint.
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : String(value);
}

/** The number that `text` stores: a `bigint` for integers that a double can't hold exactly; `undefined` for what is none. */
export function decodeNumber(text: string): number | bigint | undefined {
  if (text.length > MAX_DIGITS) return undefined;
  if (INTEGER.test(text)) {
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : BigInt(text);
  }
  return DECIMAL.test(text) ? Number(text) : WORDS.get(text);
}

/** Whether stored text or bytes may begin a number: cheap, and true of few other values. */
export function mayBeNumber(stored: string | Uint8Array): boolean {
  const first = typeof stored === "string" ? stored.charCodeAt(0) : stored[0];
  if (first === undefined) return false;
  return (first >= 0x30 && first <= 0x39) || first === 0x2d || first === 0x6e || first === 0x69;
}
