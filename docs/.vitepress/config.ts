import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitepress";
import llmstxt from "vitepress-plugin-llms";
import { accessibleTheme } from "./accessible-theme.ts";
import { diagrams } from "./diagrams.ts";
import { repository, siteLink, siteMarkdown, slugOf } from "./links.ts";
import { descriptionOf, firstPages, sidebar, titleOfLink, writeProjectPages } from "./pages.ts";
import { referenceAnchors } from "./reference-anchors.ts";
import { miniSearch, searchable } from "./search.ts";
import { tables } from "./tables.ts";

writeProjectPages();

/** The path of the site on its host. */
const base = process.env.SITE_BASE ?? "/";
const description = "A cache for TypeScript back ends, kept in Valkey or Redis";

export default defineConfig({
  title: "valkey-edge-cache",
  description,
  lang: "en",
  base,
  srcExclude: ["**/node_modules/**"],
  head: [["link", { rel: "icon", type: "image/svg+xml", href: `${base}logo.svg` }]],
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    anchor: { slugify: slugOf },
    // Braces are text, as on GitHub.
    attrs: { disable: true },
    languageAlias: { mjs: "js", cjs: "js" },
    config(markdown) {
      diagrams(markdown);
      tables(markdown);
      referenceAnchors(markdown);
      markdown.core.ruler.push("site-links", ({ tokens, env }) => {
        for (const { children } of tokens) {
          for (const [i, token] of children?.entries() ?? []) {
            const href = token.type === "link_open" ? token.attrGet("href") : null;
            if (href === null) continue;
            const link = siteLink(`docs/${env.relativePath}`, href);
            token.attrSet("href", link);
            const text = children?.[i + 1];
            // Names of files, which readers on GitHub see as they are.
            if (text && /^(?:docs\/)?[\w/-]+\.md$/.test(text.content)) {
              text.content = titleOfLink(env.relativePath, link) ?? text.content;
            }
          }
        }
      });
    },
  },
  themeConfig: {
    logo: { src: "/logo.svg", alt: "" },
    notFound: { linkLabel: "Take me home" },
    nav: [...firstPages(), { text: "GitHub", link: repository }],
    sidebar: sidebar(),
    outline: { level: [2, 3] },
    externalLinkIcon: true,
    search: {
      provider: "local",
      options: { miniSearch, _render: searchable },
    },
  },
  transformPageData({ relativePath }) {
    const own = relativePath === "index.md" ? undefined : descriptionOf(relativePath.replace(/\.md$/, ""));
    return { description: own ?? description };
  },
  vite: {
    // The index of the search, which is loaded when the search is opened.
    build: { chunkSizeWarningLimit: 2_000 },
    plugins: [accessibleTheme(), llmstxt({ description, excludeIndexPage: false, injectLLMHint: false })],
  },
  /** The Markdown of pages has the links of the site, too. */
  buildEnd({ outDir, srcDir }) {
    // The plugin writes a folder's index beside the folder.
    const isIndex = (page: string) => existsSync(join(srcDir, page.replace(/\.md$/, "/index.md")));
    const sourceOf = (page: string) => `docs/${isIndex(page) ? page.replace(/\.md$/, "/index.md") : page}`;
    for (const path of globSync("**/*.md", { cwd: outDir })) {
      const page = path.replaceAll("\\", "/");
      const markdown = readFileSync(join(outDir, page), "utf8");
      writeFileSync(join(outDir, page), siteMarkdown(sourceOf(page), markdown, `docs/${page}`));
      // Links of other pages lead into the folder.
      if (isIndex(page)) {
        const index = page.replace(/\.md$/, "/index.md");
        writeFileSync(join(outDir, index), siteMarkdown(`docs/${index}`, markdown));
      }
    }
    const all = join(outDir, "llms-full.txt");
    const pages = readFileSync(all, "utf8").replace(
      /^url: (\S+)\n---\n[\s\S]*?(?=\n---\nurl: |$(?![\s\S]))/gm,
      (text, url: string) => siteMarkdown(sourceOf(url.slice(base.length)), text, "docs/llms-full.txt"),
    );
    writeFileSync(all, pages);
  },
});
