import { slugOf } from "../../docs/.vitepress/links.js";

/** A link or an image of a Markdown text. */
export interface Link {
  readonly href: string;
  /** From 1. */
  readonly line: number;
}

/** What a reader can follow: inline links and images, HTML's, and the links of a home page's front matter. */
export function linksOf(markdown: string): Link[] {
  const [frontMatter = ""] = /^---\n[\s\S]*?\n---\n/.exec(markdown) ?? [];
  const text = withoutCode(markdown);
  const found = [
    ...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g),
    ...text.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm),
    ...text.matchAll(/<(?:a|img|source)\s[^>]*?(?:href|src|srcset)="([^"]+)"/g),
    ...frontMatter.matchAll(/^\s+link: (\S+)$/gm),
  ];
  return found.map(({ 1: href = "", index }) => ({ href, line: text.slice(0, index).split("\n").length }));
}

/** The anchors of a page: those of its headings, and of elements with an id. */
export function anchorsOf(markdown: string): Set<string> {
  const text = withoutFences(markdown);
  const anchors = new Set<string>();
  for (const [, heading = ""] of text.matchAll(/^#{1,6} +(.+?)(?: +#+)?$/gm)) {
    const slug = slugOf(headingText(heading));
    let unique = slug;
    for (let copy = 1; anchors.has(unique); copy++) unique = `${slug}-${copy}`;
    anchors.add(unique);
  }
  for (const [, id = ""] of withoutCode(markdown).matchAll(/<[a-z]+\s[^>]*?(?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

/** A heading as it is read: without the marks of code, links, emphasis and escapes. */
function headingText(heading: string): string {
  return heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/(`+)(.+?)\1|\*+([^*]+)\*+|(?<!\w)_([^_]+)_(?!\w)|\\([^\w\s])/g, (_, __, code, strong, weak, escaped) =>
      [code, strong, weak, escaped].find((part) => part !== undefined),
    )
    .replace(/<[^>]+>/g, "");
}

/** The text with its line breaks, and with spaces in place of code. */
function withoutCode(markdown: string): string {
  return withoutFences(markdown).replace(/(`+)(?:(?!\1)[\s\S])+?\1(?!`)/g, blank);
}

function withoutFences(markdown: string): string {
  return markdown.replace(/^( *)(```+|~~~+)[\s\S]*?^\1\2/gm, blank).replace(/<!--[\s\S]*?-->/g, blank);
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
