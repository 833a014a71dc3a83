/**
 * Escapes text for a pattern, so that it stands for itself.
 * @example
 * await cache.deletePattern(`user:${escapePattern(id)}:*`);
 */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}

/** Whether a key or a member matches the glob. */
export type GlobMatcher = (text: string | Uint8Array) => boolean;

/**
 * Compiles a glob in the notation of SCAN and KEYS: `*`, `?`, `[abc]`, `[^abc]`, `[a-z]`, and `\` as the escape character.
 * Servers compare bytes, so `?` and brackets match one byte of UTF-8. Unfinished patterns (`[ab`, a final `\`) are no
 * errors. The number of steps of a match is at most the product of the lengths of pattern and text.
 */
export function compileGlob(pattern: string | Uint8Array): GlobMatcher {
  const steps = parse(toByteString(pattern));
  return (text) => matches(steps, toByteString(text));
}

const ANY_BYTE = 256;
const ANY_BYTES = 257;
/** A literal byte, one of the two wildcards, or a table for brackets with 1 for each byte that matches. */
type Step = number | Uint8Array;

function parse(pattern: string): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at];
    if (char === "*") {
      if (steps.at(-1) !== ANY_BYTES) steps.push(ANY_BYTES);
    } else if (char === "?") {
      steps.push(ANY_BYTE);
    } else if (char === "[") {
      const brackets = parseBrackets(pattern, at + 1);
      steps.push(brackets.bytes);
      at = brackets.end;
    } else {
      if (char === "\\" && at + 1 < pattern.length) at++;
      steps.push(pattern.charCodeAt(at));
    }
  }
  return steps;
}

/** As the server parses brackets: a `]` always closes them, even right after `[`. Any byte can end a range, even `]`. */
function parseBrackets(pattern: string, start: number): { bytes: Uint8Array; end: number } {
  const inverted = pattern[start] === "^";
  const bytes = new Uint8Array(ANY_BYTE);
  let at = inverted ? start + 1 : start;
  for (; at < pattern.length && pattern[at] !== "]"; at++) {
    if (pattern[at] === "\\" && at + 1 < pattern.length) {
      bytes[pattern.charCodeAt(++at)] = 1;
    } else if (pattern[at + 1] === "-" && at + 2 < pattern.length) {
      // C's char is signed on most machines, so bytes from 128 on come before the others.
      const [from = 0, to = 0] = Int8Array.of(pattern.charCodeAt(at), pattern.charCodeAt(at + 2)).sort();
      for (let byte = from; byte <= to; byte++) bytes[byte & 0xff] = 1;
      at += 2;
    } else {
      bytes[pattern.charCodeAt(at)] = 1;
    }
  }
  return { bytes: inverted ? bytes.map((matched) => 1 - matched) : bytes, end: at };
}

/** Backtracks to the last `*` only, as an earlier `*` can't match anything that the last one can't. */
function matches(steps: readonly Step[], text: string): boolean {
  let [at, step, star, resume] = [0, 0, -1, 0];
  while (at < text.length) {
    const current = steps[step];
    if (current === ANY_BYTES) {
      if (step === steps.length - 1) return true;
      star = step++;
      resume = at;
    } else if (current !== undefined && accepts(current, text.charCodeAt(at))) {
      step++;
      at++;
    } else if (star === -1) {
      return false;
    } else {
      step = star + 1;
      at = ++resume;
    }
  }
  if (steps[step] === ANY_BYTES) step++;
  return step === steps.length;
}

function accepts(step: Step, byte: number): boolean {
  return typeof step === "number" ? step === byte || step === ANY_BYTE : step[byte] === 1;
}

const encoder = new TextEncoder();

/** A string with one character for each byte. Printable ASCII, as in most keys, needs no conversion. */
function toByteString(text: string | Uint8Array): string {
  if (typeof text === "string" && !/[^ -~]/.test(text)) return text;
  let bytes = "";
  for (const byte of typeof text === "string" ? encoder.encode(text) : text) bytes += String.fromCharCode(byte);
  return bytes;
}
