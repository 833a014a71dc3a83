import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { differences, filesUnder } from "./support/file-map.js";
import { manifest, root } from "./support/project.js";

const read = (path: string) => readFileSync(join(root, path), "utf8");

it("CONTRIBUTING.md names only npm scripts that package.json has", () => {
  const names = [...read("CONTRIBUTING.md").matchAll(/`npm (?!install )(?:run )?([\w:-]+)/g)].map(([, name]) => name);
  expect(names).toContain("figures");
  expect(names.filter((name) => name === undefined || !(name in manifest.scripts))).toEqual([]);
});

it("CONTRIBUTING.md names only files and folders that exist", () => {
  const text = read("CONTRIBUTING.md").replaceAll(/NAME[\w./]*/g, "");
  const paths = [...text.matchAll(/`((?:src|test|docs|bench|examples|scripts|\.github)\/[\w./-]*)`/g)].map(
    ([, path = ""]) => path,
  );
  expect(paths.length).toBeGreaterThan(15);
  // What is generated is absent in a fresh clone.
  const generated = read(".gitignore").split("\n");
  expect(paths.filter((path) => !generated.includes(path) && !existsSync(join(root, path)))).toEqual([]);
});

it("CONTRIBUTING.md, SECURITY.md, AGENTS.md and test/README.md link only to files that exist", () => {
  for (const guide of ["CONTRIBUTING.md", "SECURITY.md", "AGENTS.md", "test/README.md"]) {
    const links = [...read(guide).matchAll(/\]\(([^)#:]+)\)/g)].map(([, link = ""]) => join(guide, "..", link));
    for (const link of links) expect(() => read(link), `${guide} links to ${link}`).not.toThrow();
  }
});

it("test/README.md has one line for each test file, and none for files that do not exist", () => {
  expect(differences("test/README.md", read("test/README.md"), filesUnder("test", ".test.ts"))).toEqual([]);
});

it("AGENTS.md has a line for each file of src/ or its folder, and none for what does not exist", () => {
  const files = filesUnder("src", ".ts").map((path) => `src/${path}`);
  expect(differences("AGENTS.md", read("AGENTS.md"), files)).toEqual([]);
});

it("docs/decisions has a record of one form for each decision, and its index lists all of them", () => {
  const pages = filesUnder("docs/decisions", ".md").filter((page) => page !== "index.md");
  expect(pages.length).toBeGreaterThan(10);
  const listed = [...read("docs/decisions/index.md").matchAll(/^- \[([^\]]+)\]\((.+?)\): \S/gm)];
  const titles = Object.fromEntries(listed.map(([, title, page]) => [page, title]));
  expect(Object.keys(titles).sort()).toEqual(pages);
  for (const page of pages) {
    const headings = [...read(`docs/decisions/${page}`).matchAll(/^(#+) (.+)$/gm)].map(([, , text]) => text);
    expect(headings, page).toEqual([titles[page], "Context", "Decision", "Consequences", "What would change it"]);
  }
});

it("docs/design.md, docs/herd.md, docs/near-cache.md, docs/http.md and docs/http-policy.md name only sources that exist", () => {
  const sources = filesUnder("src", ".ts");
  for (const page of ["docs/design.md", "docs/herd.md", "docs/near-cache.md", "docs/http.md", "docs/http-policy.md"]) {
    const named = [...read(page).matchAll(/`(?:src\/)?((?:[\w-]+\/)*[\w.-]+\.ts)`/g)].map(([, path = ""]) => path);
    const missing = named.filter((path) => !sources.some((source) => source === path || source.endsWith(`/${path}`)));
    expect(
      missing.filter((path) => !path.startsWith("test/")),
      page,
    ).toEqual([]);
  }
});
