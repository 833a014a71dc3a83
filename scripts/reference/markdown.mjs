// @ts-check
import { slugOf } from "../../docs/.vitepress/links.ts";
import { CONCEPTS, OTHERS, SUBPATHS } from "./contents.mjs";

/** Stands before a default in words, which TypeDoc would show as code. */
export const PROSE = "`(words)`";

/** Headings of parts of an export: they stand in bold, as they are neither places to look for nor to link. */
const PARTS =
  /^#+ (Parameters|Returns|Throws|Examples?|Type Parameters|Extends|Extended by|Implements|Implemented by|Properties|Default|Default Value|Call Signature|Get Signature|Set Signature|Type Literal|Type Declaration|Indexable|Union Members|See)$/gm;

/**
 * A page as it is easier to read: it begins with what it is about, has headings for exports and their members alone, leads from
 * errors to the page that explains them, and lists what another page has.
 * @param {string} page
 * @param {string} about
 */
export function polished(page, about) {
  const reexport = /^## .* \{#.*\}\n\n(?:Re-exports|Renames and re-exports) (\[.*\]\(.*\))\n(?:\n\*\*\*\n\n)?/gm;
  const elsewhere = [...page.matchAll(reexport)].map(([, link]) => `- ${link}\n`);
  const own = page
    .replaceAll(reexport, "")
    .replaceAll(/^#+ (?:Implementation of|Overrides|Inherited from)\n\n.+\n\n?/gm, "")
    .replaceAll(/^(#+ Throws\n\n)`(\w+Error)`/gm, (_all, heading, name) => {
      return `${heading}[\`${name}\`](../errors.md#${name.toLowerCase()})`;
    })
    .replaceAll(PARTS, "**$1**")
    .replaceAll(/^#+ (?:Methods|Constructors|Accessors)\n\n/gm, "")
    .replaceAll(/^#{4,} /gm, "### ")
    .replaceAll(`${PROSE} `, "")
    // Parameters that a function takes apart have no name.
    .replaceAll("__namedParameters", "options")
    .replaceAll(/\bdocs\/([\w/-]+\.md)/g, "[$1](../$1)")
    .replace(/^# .*\n/m, (title) => `${title}\n${about}\n`)
    .replace(/\n(?:\n|\*\*\*\n)*$/, "\n");
  return elsewhere.length === 0 ? own : `${own}\n## Also exported here\n\n${elsewhere.join("")}`;
}

/**
 * Pages with links to the anchors that the site gives their headings, in the place of TypeDoc's own `{#anchor}`.
 * @param {ReadonlyMap<string, string>} pages by file
 */
export function withAnchors(pages) {
  /** @type {Map<string, string>} by file and TypeDoc's anchor */
  const anchors = new Map();
  const plain = [...pages].map(([file, page]) => {
    /** @type {Map<string, number>} */
    const counts = new Map();
    const text = page.replaceAll(/^(#+ .*?)(?: \{#(.+)\})?$/gm, (_all, heading, own) => {
      const slug = slugOf(heading.replaceAll(/^#+|[`\\]/g, ""));
      const count = counts.get(slug) ?? 0;
      counts.set(slug, count + 1);
      anchors.set(`${file}#${own}`, count === 0 ? slug : `${slug}-${count}`);
      return heading;
    });
    return /** @type {const} */ ([file, text]);
  });
  return plain.map(([file, text]) => {
    const linked = text.replaceAll(/\]\(([\w-]+\.md)?#([^)]+)\)/g, (_all, path = "", own) => {
      return `](${path}#${anchors.get(`${path || file}#${own}`) ?? own})`;
    });
    return /** @type {const} */ ([file, linked]);
  });
}

/** @param {readonly { name: string, title: string, subpaths: readonly string[] }[]} pages */
export function indexPage(pages) {
  const concepts = CONCEPTS.map(({ name, title, about }) => `| [${title}](${name}.md) | ${about} |`);
  const paths = pages.flatMap(({ name, subpaths }) =>
    subpaths.map((subpath) => `| [\`${subpath}\`](${name}.md) | ${SUBPATHS[subpath]} |`),
  );
  return `${INTRODUCTION}
## The main entry point

\`import { … } from "valkey-edge-cache"\`

| page | |
|---|---|
${concepts.join("\n")}

## Subpaths

\`import { … } from "valkey-edge-cache/hono"\`, and so on.

| subpath | |
|---|---|
${paths.join("\n")}
`;
}

const INTRODUCTION = `# Reference

Every export of the package, made from the doc comments in its source. Durations are in seconds, or strings such as \`"5m"\`.

| page | |
|---|---|
${OTHERS.map(([file, title, about]) => `| [${title}](../${file}) | ${about} |`).join("\n")}
`;
