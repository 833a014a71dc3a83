import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { subpaths } from "../../scripts/reference/contents.mjs";
import { reference } from "../../scripts/reference.mjs";
import { anchorsOf } from "../support/links.js";
import { manifest, root } from "../support/project.js";

let folder: string;
const page = (name: string) => readFileSync(join(folder, name), "utf8");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "reference-"));
  // Rejects where an export or an option has no doc comment, and where a link leads nowhere.
  await reference(folder);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("the reference links every subpath of the package, and the pages about options, errors, events, commands and bytes", () => {
  const index = page("index.md");
  for (const subpath of Object.keys(manifest.exports).filter((path) => path !== "." && path !== "./package.json")) {
    expect(index).toContain(`| [\`${subpath}\`](`);
  }
  const links = [...index.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = ""]) => path);
  const own = links.filter((path) => !path.startsWith("../"));
  expect(new Set(own)).toEqual(new Set(readdirSync(folder).filter((name) => name !== "index.md")));
  const written = links.filter((path) => path.startsWith("../")).map((path) => path.slice(3));
  expect(written).toEqual(["options.md", "errors.md", "observability.md", "cli.md", "stored-bytes.md"]);
  for (const name of written) expect(readdirSync(join(root, "docs"))).toContain(name);
});

it("every value that an entry point exports is in the reference, and nothing that is internal", async () => {
  const pages = readdirSync(folder).map(page).join("\n");
  const headings = new Set(
    [...pages.matchAll(/^## (?:`abstract` )?([\w\\]+)/gm)].map(([, name = ""]) => name.replaceAll("\\", "")),
  );
  for (const { subpath } of subpaths()) {
    const exported = Object.keys((await import(manifest.name + subpath.slice(1))) as object);
    expect(exported.filter((name) => !headings.has(name))).toEqual([]);
  }
  // It is marked as internal in a class that is exported.
  expect(readFileSync(join(root, "src", "client", "herd", "client.ts"), "utf8")).toContain("settingsOf");
  expect(pages).not.toContain("settingsOf");
});

it("options are tables with their sentence and default, and errors lead to the page that explains them", () => {
  expect(page("options.md")).toMatch(
    /`ttl\?` \| \[`Duration`\]\(.*\) \\\| `null` \| Lifetime: seconds.*\*\*Default\*\* /,
  );
  expect(page("cache.md")).toContain(
    "[`DecodeError`](../errors.md#decodeerror) when the stored bytes can't be decoded",
  );
  // Headings are exports and their members, and every link leads to one of them.
  expect(page("cache.md")).toMatch(/^## Cache\n[\s\S]*^### getOrSet\(\)$/m);
  expect(readdirSync(folder).map(page).join("\n")).not.toMatch(/^#+ (?:Parameters|Returns|Properties|.*\{#.*\})$/m);
  // Words are words, and literals are code.
  expect(page("http.md")).toContain("**Default** as the client sends it");
  expect(page("http.md")).toContain("**Default** `1048576` (1 MiB)");
});

it("every link within the reference leads to a heading or to a row of a table", () => {
  const anchors = new Map(
    readdirSync(folder).map((name) => {
      const ids = [...page(name).matchAll(/<a id="([^"]+)">/g)].map(([, id = ""]) => id);
      return [name, new Set([...anchorsOf(page(name)), ...ids])];
    }),
  );
  const missing = [...anchors.keys()].flatMap((name) =>
    [...page(name).matchAll(/\]\(([\w-]+\.md)?#([^)]+)\)/g)]
      .filter(([, file = name, anchor = ""]) => !anchors.get(file)?.has(anchor))
      .map(([link]) => `${name}: ${link}`),
  );
  expect(missing).toEqual([]);
});
