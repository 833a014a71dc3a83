import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitepress";
import llmstxt from "vitepress-plugin-llms";
import { diagrams } from "./diagrams.ts";
import { repository, siteLink, siteMarkdown, slugOf } from "./links.ts";
import { firstPages, sidebar, writeProjectPages } from "./pages.ts";

writeProjectPages();

const description = "A cache for TypeScript back ends, kept in Valkey or Redis";

export default defineConfig({
  title: "valkey-edge-cache",
  description,
  lang: "en",
  base: process.env.SITE_BASE ?? "/",
  cleanUrls: false,
  // The workers' files of others are no pages.
  srcExclude: ["**/node_modules/**"],
  markdown: {
    anchor: { slugify: slugOf },
    // As on GitHub, where braces are text.
    attrs: { disable: true },
    languageAlias: { mjs: "js", cjs: "js" },
    config(markdown) {
      diagrams(markdown);
      markdown.core.ruler.push("site-links", ({ tokens, env }) => {
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.type === "link_open" ? token.attrGet("href") : null;
          if (href !== null) token.attrSet("href", siteLink(`docs/${env.relativePath}`, href));
        }
      });
    },
  },
  themeConfig: {
    nav: firstPages(),
    sidebar: sidebar(),
    outline: { level: [2, 3] },
    externalLinkIcon: true,
    search: {
      provider: "local",
      options: {
        detailedView: false,
        miniSearch: { searchOptions: { boost: { title: 6, titles: 3, text: 1 }, prefix: true, fuzzy: 0.2 } },
      },
    },
    socialLinks: [{ icon: "github", link: repository }],
  },
  vite: { plugins: [llmstxt({ description, excludeIndexPage: false, injectLLMHint: false })] },
  /** The Markdown of pages has the links of the site, too. */
  buildEnd({ outDir }) {
    for (const path of globSync("**/*.md", { cwd: outDir })) {
      const page = path.replaceAll("\\", "/");
      const file = join(outDir, page);
      writeFileSync(file, siteMarkdown(`docs/${page}`, readFileSync(file, "utf8")));
    }
  },
});
