import type { MarkdownOptions } from "vitepress";

type Markdown = Parameters<NonNullable<MarkdownOptions["config"]>>[0];

/** The anchors that the pages of the reference give to their headings: `## name {#anchor}`. */
export function referenceAnchors(markdown: Markdown): void {
  markdown.core.ruler.before("inline", "reference-anchors", ({ tokens, env }) => {
    if (!String(env.relativePath).startsWith("reference/")) return;
    tokens.forEach((token, index) => {
      const text = tokens[index + 1];
      const [mark, anchor] = /\s*\{#([^}\s]+)\}$/.exec(text?.content ?? "") ?? [];
      if (token.type !== "heading_open" || !text || !mark || !anchor) return;
      text.content = text.content.slice(0, -mark.length);
      token.attrSet("id", anchor);
    });
  });
}
