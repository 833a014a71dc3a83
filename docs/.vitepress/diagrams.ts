import type { MarkdownOptions } from "vitepress";

type Markdown = Parameters<NonNullable<MarkdownOptions["config"]>>[0];

/** Blocks of mermaid become the component `Diagram`, which shows their text until it has drawn them. */
export function diagrams(markdown: Markdown): void {
  const fence = markdown.renderer.rules.fence;
  markdown.renderer.rules.fence = (tokens, index, options, env, self) => {
    const token = tokens[index];
    if (token?.info.trim() !== "mermaid") return fence?.(tokens, index, options, env, self) ?? "";
    return `<Diagram text="${encodeURIComponent(token.content)}" />\n`;
  };
}
