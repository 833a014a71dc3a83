/** A fenced block of a Markdown text. */
export interface Block {
  /** Empty where the fence names none. */
  readonly language: string;
  readonly code: string;
  /** Line number of its opening fence, from 1. */
  readonly line: number;
  /**
   * Code that the block needs before its own: the text of an invisible comment, `<!-- before: … -->`, directly
   * before the fence. Empty where there is none.
   */
  readonly before: string;
}

const BLOCK =
  /(?:^<!-- before:(?<before>(?:(?!-->)[\s\S])*)-->\n+)?^```(?<language>[^\s`]*)[^\n]*\n(?<code>[\s\S]*?)^```$/gm;

export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(BLOCK)].map(
    ({ 0: text, index, groups: { before = "", language = "", code = "" } = {} }) => {
      const fence = index + text.indexOf("```");
      return { language, code, line: markdown.slice(0, fence).split("\n").length, before: before.trim() };
    },
  );
}
