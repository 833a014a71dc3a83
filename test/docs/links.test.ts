import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { siteLink, siteMarkdown, slugOf } from "../../docs/.vitepress/links.js";
import { sidebar, sitePages, titleOfLink } from "../../docs/.vitepress/pages.js";
import { docsPages } from "../support/docs.js";
import { anchorsOf, linksOf } from "../support/links.js";
import { root } from "../support/project.js";

/** Everything a reader may open, as paths from the root. */
const files = [
  ...docsPages().map((page) => `docs/${page}`),
  ...["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "AGENTS.md", "bench/README.md", "test/README.md"],
  ...globSync("examples/**/*.md", { cwd: root, exclude: ["**/node_modules"] }),
];

const read = (path: string) => readFileSync(join(root, path), "utf8");

/** What is wrong with the links of a text that stands at a path; one sentence for each. */
function faults(path: string, markdown: string): string[] {
  return linksOf(markdown).flatMap(({ href, line }) => {
    const place = `${path}, line ${line}: ${href}`;
    if (/^[a-z][a-z\d+.-]*:/i.test(href)) return [];
    const [, file = "", anchor] = /^([^#]*)(?:#(.*))?$/.exec(href) ?? [];
    const target = file === "" ? path : targetOf(path, file);
    // Generated: the test of the site has them.
    if (target.startsWith("docs/reference/")) return [];
    if (target !== path && !existsSync(join(root, target))) return [`${place} leads to no file`];
    if (anchor === undefined || !target.endsWith(".md")) return [];
    const isThere = anchorsOf(target === path ? markdown : read(target)).has(decodeURIComponent(anchor));
    return isThere ? [] : [`${place} leads to no heading`];
  });
}

function targetOf(path: string, file: string): string {
  // Links of the home page's buttons are addresses of the site.
  if (file.startsWith("/")) return `docs${file}${file.endsWith("/") ? "index" : ""}.md`;
  return relative(root, join(root, dirname(path), decodeURIComponent(file)));
}

it.each(files)("every link and anchor in %s leads to a file and a heading", (path) => {
  expect(faults(path, read(path))).toEqual([]);
});

describe("the check of links", () => {
  it("finds links to files and headings that do not exist, whichever way they are written", () => {
    const markdown = `---
layout: home
hero:
  actions:
    - theme: brand
      link: /nothing
---
# A heading
[a](herd.md) [b](gone.md) [c](herd.md#gone) [d](#a-heading) [e](#gone) ![f](gone.png)
<a href="gone.html">g</a> [h](https://example.com/#x) \`[i](code.md)\` [j](../README.md)

[k]: gone-too.md

\`\`\`md
[l](fenced.md)
\`\`\`
`;
    expect(faults("docs/page.md", markdown).map((fault) => fault.replace("docs/page.md, ", ""))).toEqual([
      "line 9: gone.md leads to no file",
      "line 9: herd.md#gone leads to no heading",
      "line 9: #gone leads to no heading",
      "line 9: gone.png leads to no file",
      "line 12: gone-too.md leads to no file",
      "line 10: gone.html leads to no file",
      "line 6: /nothing leads to no file",
    ]);
  });

  it("knows the anchors that GitHub gives to headings", () => {
    expect(slugOf("`herd()`: one load, for all")).toBe("herd-one-load-for-all");
    expect(slugOf("What it costs (in `ms`) & why")).toBe("what-it-costs-in-ms--why");
    const markdown = "# Tags\n## A [link](x.md) and `code`\n## Tags\n## Tags\n## snake_case *there*\n```\n# no\n```\n";
    expect([...anchorsOf(markdown)]).toEqual(["tags", "a-link-and-code", "tags-1", "tags-2", "snake_case-there"]);
  });
});

describe("links on the site", () => {
  it("lead to pages where there are some, and else to the repository", () => {
    const repository = "https://github.com/valkey-edge-cache/valkey-edge-cache";
    expect(siteLink("docs/herd.md", "tags.md#cost")).toBe("tags.md#cost");
    expect(siteLink("docs/guides/hono.md", "../herd.md")).toBe("../herd.md");
    expect(siteLink("docs/herd.md", "../bench/README.md#herd")).toBe("project/benches.md#herd");
    expect(siteLink("bench/README.md", "../docs/tags.md")).toBe("../tags.md");
    expect(siteLink("CONTRIBUTING.md", "bench/README.md")).toBe("benches.md");
    expect(siteLink("docs/guides/hono.md", "../../examples/hono-app")).toBe(
      `${repository}/tree/main/examples/hono-app`,
    );
    expect(siteLink("docs/edge.md", "../src/index.ts")).toBe(`${repository}/blob/main/src/index.ts`);
    expect(siteLink("docs/observability.md", "grafana/valkey-edge-cache.json")).toBe(
      `${repository}/blob/main/docs/grafana/valkey-edge-cache.json`,
    );
    for (const href of ["#tags", "https://valkey.io/a.md", "mailto:a@b.c", "/herd"]) {
      expect(siteLink("docs/herd.md", href)).toBe(href);
    }
  });

  it("are those of the Markdown, too, where code and images stay", () => {
    const markdown = "[a](../README.md) `[b](../README.md)` ![c](bench/c.svg)\n```md\n[d](../README.md)\n```\n";
    expect(siteMarkdown("docs/herd.md", markdown)).toBe(markdown.replace("../README.md", "index.md"));
    expect(siteMarkdown("CHANGELOG.md", "![c](bench/c.svg)")).toBe("![c](../../bench/c.svg)");
  });
});

it("the sidebar has every page of docs/ once", () => {
  const links: string[] = [];
  const collect = (items: ReturnType<typeof sidebar>[string]) => {
    for (const { link, items: inner = [] } of items) {
      if (link !== undefined) links.push(link);
      collect(inner);
    }
  };
  collect(sidebar()["/"] ?? []);
  const written = docsPages().map((page) => `/${page.replace(/\.md$/, "").replace(/\/index$/, "/")}`);
  expect(links.filter((link) => !/^\/(?:project|reference)\//.test(link)).sort()).toEqual(
    written.filter((page) => page !== "/index").sort(),
  );
  expect(new Set(links).size).toBe(links.length);
  for (const link of links) expect(statSync(join(root, `docs${link.replace(/\/$/, "/index")}.md`)).isFile()).toBe(true);
  expect(sitePages()).toContain("herd");
});

it("a link whose text is the name of a file has the title of its page on the site", () => {
  expect(titleOfLink("recipes/testing.md", "../herd.md#promises")).toBe("The herd client");
  expect(titleOfLink("troubleshooting.md", "https://example.com/README.md")).toBeUndefined();
});
