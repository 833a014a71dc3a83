import { stripVTControlCharacters } from "node:util";

/** First and last code points that terminals show in two columns: East Asian wide and full-width (UAX #11). */
const WIDE: readonly (readonly [first: number, last: number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6b],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18d08],
  [0x1aff0, 0x1b2fb],
  [0x1f200, 0x1f265],
  [0x20000, 0x3fffd],
];

const ZERO = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}\u1160-\u11ff\ud7b0-\ud7fb]+$/u;
const EMOJI = /^(?:\p{Emoji_Presentation}|\p{Emoji}\ufe0f|\p{Regional_Indicator}{2})/u;
const ASCII = /^[ -~]*$/;

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

/** How many columns a terminal needs for a line of text. Escape sequences of colours need none. */
export function widthOf(text: string): number {
  const plain = text.includes("\x1b") ? stripVTControlCharacters(text) : text;
  if (ASCII.test(plain)) return plain.length;
  let width = 0;
  for (const { segment } of segmenter.segment(plain)) width += widthOfCharacter(segment);
  return width;
}

/** Of what a reader takes for one character, such as a letter with its accents. */
function widthOfCharacter(character: string): number {
  if (ZERO.test(character)) return 0;
  if (EMOJI.test(character)) return 2;
  const code = character.codePointAt(0) ?? 0;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

/** Adds spaces up to a width. */
export function pad(text: string, width: number, side: "left" | "right" = "right"): string {
  const spaces = " ".repeat(Math.max(0, width - widthOf(text)));
  return side === "right" ? text + spaces : spaces + text;
}

/** Shortens plain text to a width, with `…` in place of what was cut. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const [first = ""] = pieces(text, Math.max(1, width - 1));
  return `${first}…`;
}

/** The lines of plain text at a width: broken at spaces, and within words that are longer than a line. */
export function wrap(text: string, width: number): string[] {
  if (widthOf(text) <= width) return [text];
  const indent = /^ */.exec(text)?.[0] ?? "";
  const lines: string[] = [];
  let line = indent.length < width ? indent : "";
  let hasWord = false;
  for (const word of text.slice(indent.length).split(" ")) {
    const longer = hasWord ? `${line} ${word}` : line + word;
    if (widthOf(longer) <= width) {
      line = longer;
      hasWord = true;
      continue;
    }
    if (hasWord) lines.push(line);
    const parts = pieces(word, width);
    lines.push(...parts.slice(0, -1));
    line = parts.at(-1) ?? "";
    hasWord = true;
  }
  return [...lines, line];
}

/** Text in pieces that are no wider than `width`, cut between characters. */
export function pieces(text: string, width: number): string[] {
  if (widthOf(text) <= width) return [text];
  const found: string[] = [];
  let piece = "";
  let taken = 0;
  for (const { segment } of segmenter.segment(text)) {
    const more = widthOfCharacter(segment);
    if (taken + more > width && piece !== "") {
      found.push(piece);
      piece = "";
      taken = 0;
    }
    piece += segment;
    taken += more;
  }
  return [...found, piece];
}
