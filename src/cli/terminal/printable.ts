/**
 * What a terminal would act on instead of showing it: control characters, among them ESC and the CSI of 8 bits, separators of
 * lines, and characters that change the direction of text (https://trojansource.codes), unpaired surrogates, and the mark that
 * some programs put before text.
 */
const UNSAFE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\p{Cs}]/gu;

/** One line of text in which nothing is left that a terminal acts on: `\x1b` and `\u202e` are shown as such. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** Text of several lines: line feeds stay, and tabs are spaces. */
export function printableLines(text: string): string[] {
  return text.split(/\r?\n/).map((line) => printable(line.replaceAll("\t", "  ")));
}

function escaped(char: string): string {
  const code = char.charCodeAt(0);
  const short = { 9: "\\t", 10: "\\n", 13: "\\r" }[code];
  if (short !== undefined) return short;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** JSON in one line, as safe for a terminal as `printable`: these characters only occur in its strings, where `\u` may stand. */
export function safeJson(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
