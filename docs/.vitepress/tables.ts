import type { MarkdownOptions } from "vitepress";

type Markdown = Parameters<NonNullable<MarkdownOptions["config"]>>[0];

/** Text of more characters makes its column wide enough to be read on a phone, where the table is scrolled. */
const WIDTHS = [
  { name: "wide", from: 60 },
  { name: "medium", from: 24 },
];

/** Headings of columns without a text become cells, and a row of nothing else goes, as a heading has to say something. */
export function tables(markdown: Markdown): void {
  markdown.core.ruler.push("empty-headings", (state) => {
    const { tokens } = state;
    const isEmpty = (index: number) => tokens[index]?.type === "inline" && tokens[index]?.content === "";
    tokens.forEach((token, index) => {
      if (token.type !== "th_open" || !isEmpty(index + 1)) return;
      for (const cell of [token, tokens[index + 2]]) if (cell) cell.tag = "td";
    });
    tokens.forEach((token, index) => {
      // Without the addresses of links.
      const text = tokens[index + 1]?.children?.map(({ content }) => content).join("") ?? "";
      const width = WIDTHS.find(({ from }) => text.length > from);
      if (token.type === "td_open" && width) token.attrJoin("class", width.name);
    });
    const heads = tokens.flatMap(({ type }, index) => (type === "thead_open" ? [index] : []));
    for (const start of heads.reverse()) {
      const length = tokens.slice(start).findIndex(({ type }) => type === "thead_close") + 1;
      const hasText = tokens
        .slice(start, start + length)
        .some(({ type, content }) => type === "inline" && content !== "");
      if (!hasText) tokens.splice(start, length);
    }
  });
}
