/** `text` as a glob that matches only itself, in SCAN's notation. */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}

/** Whether a key or a member is one that the glob means. */
export type GlobMatcher = (text: string | Uint8Array) => boolean;

/**
 * Reads a glob as SCAN and KEYS do: `*`, `?`, `[abc]`, `[^abc]`, `[a-z]`, and `\` before what stands for itself.
 * To a server texts are bytes, so `?` and brackets stand for one byte of UTF-8. What is unfinished (`[ab`, a last `\`)
 * is no error. A match takes at most as many steps as pattern and text multiply to, whatever the pattern.
 */
export function compileGlob(pattern: string | Uint8Array): GlobMatcher {
  const steps = parse(toByteString(pattern));
  return (text) => matches(steps, toByteString(text));
}

const ANY_BYTE = 256;
const ANY_BYTES = 257;
/** A byte that stands for itself, one of the two wildcards, or the bytes of a pair of brackets (1 for those meant). */
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

/** The server's reading: a `]` always closes, also right after the `[`; a range takes any byte as its end, also `]`. */
function parseBrackets(pattern: string, start: number): { bytes: Uint8Array; end: number } {
  const inverted = pattern[start] === "^";
  const bytes = new Uint8Array(ANY_BYTE);
  let at = inverted ? start + 1 : start;
  for (; at < pattern.length && pattern[at] !== "]"; at++) {
    if (pattern[at] === "\\" && at + 1 < pattern.length) {
      bytes[pattern.charCodeAt(++at)] = 1;
    } else if (pattern[at + 1] === "-" && at + 2 < pattern.length) {
      const [from, to] = [pattern.charCodeAt(at), pattern.charCodeAt(at + 2)];
      bytes.fill(1, Math.min(from, to), Math.max(from, to) + 1);
      at += 2;
    } else {
      bytes[pattern.charCodeAt(at)] = 1;
    }
  }
  return { bytes: inverted ? bytes.map((meant) => 1 - meant) : bytes, end: at };
}

/** Going back to the last `*` alone is enough, as an earlier one could only take what the last one takes, too. */
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

/** One character for each byte: printable ASCII, which most keys are, is that already. */
function toByteString(text: string | Uint8Array): string {
  if (typeof text === "string" && !/[^ -~]/.test(text)) return text;
  let bytes = "";
  for (const byte of typeof text === "string" ? encoder.encode(text) : text) bytes += String.fromCharCode(byte);
  return bytes;
}
