import { h } from "./dom.js";

/**
 * Characters that can't be seen, or that change the order of others: controls, formats such as the overrides of text direction,
 * line separators, halves of surrogate pairs. A joiner within an emoji is visible as a part of it.
 */
const IN_EMOJI = /(?<=\p{Extended_Pictographic}|\p{Emoji_Modifier}|\u{fe0f})\u{200d}/u;
const UNSEEN = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}/u;
const INVISIBLE = new RegExp(`(?!${IN_EMOJI.source})(?:${UNSEEN.source})`, "gu");
const INVISIBLE_IN_LINES = new RegExp(`(?![\\n\\t])${INVISIBLE.source}`, "gu");

/** The longest text in a row of a table. */
const ROW_LENGTH = 160;

/** A text with all its characters visible, for titles and labels. */
export function plain(text: string, maxLength = ROW_LENGTH): string {
  return cut(text, maxLength).text.replace(INVISIBLE, escaped);
}

export interface DataOptions {
  /** Longer texts are cut, and say so. */
  readonly maxLength?: number;
  /** Line breaks and tabs stay. */
  readonly lines?: boolean;
}

/** A text from the cache or the application, as an element: nothing in it is hidden, and it can't reorder what is around it. */
export function data(text: string, options: DataOptions = {}): HTMLElement {
  const element = h("bdi", { class: "data", dir: "ltr" });
  setData(element, text, options);
  return element;
}

/** Changes the text of an element made by `data`. */
export function setData(element: HTMLElement, text: string, options: DataOptions = {}): void {
  const shown = cut(text, options.maxLength ?? ROW_LENGTH);
  const parts: (string | Node)[] = [];
  let end = 0;
  for (const match of shown.text.matchAll(options.lines ? INVISIBLE_IN_LINES : INVISIBLE)) {
    parts.push(shown.text.slice(end, match.index), h("span", { class: "escape" }, escaped(match[0])));
    end = match.index + match[0].length;
  }
  parts.push(shown.text.slice(end));
  if (shown.isCut) parts.push(h("span", { class: "cut" }, `… (${text.length.toLocaleString("en")} characters)`));
  if (text === "") parts.push(h("span", { class: "cut" }, "(empty)"));
  element.replaceChildren(...parts);
}

function cut(text: string, maxLength: number): { text: string; isCut: boolean } {
  if (text.length <= maxLength) return { text, isCut: false };
  // Not between the halves of a surrogate pair.
  const end = /[\ud800-\udbff]/.test(text.charAt(maxLength - 1)) ? maxLength - 1 : maxLength;
  return { text: text.slice(0, end), isCut: true };
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
