import { existsSync, globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, posix } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { descriptionOf } from "../../docs/.vitepress/pages.js";
import { hasBrowser, startBrowser } from "../support/browser.js";
import { docsPages } from "../support/docs.js";
import { linksOf } from "../support/links.js";
import { bin, output, root } from "../support/project.js";
import { until } from "../support/wait.js";
import { QUESTIONS } from "./questions.js";
import { type StaticSite, serveFolder } from "./static-site.js";

const dist = join(root, "docs", ".vitepress", "dist");

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };

/** Written pages, without `.md`. */
const written = docsPages().map((page) => page.replace(/\.md$/, ""));

/** One page of each kind. */
const KINDS = ["index", "start", "guides/express", "herd", "reference/index"];

/** The HTML pages of the site as they were built, without `.html`. */
let built: Map<string, string>;
let site: StaticSite;

beforeAll(async () => {
  await output(join(bin, "node"), ["scripts/docs.mjs", "build"]);
  const paths = globSync("**/*.html", { cwd: dist }).map((path) => path.replaceAll("\\", "/"));
  built = new Map(paths.map((path) => [path.replace(/\.html$/, ""), readFileSync(join(dist, path), "utf8")]));
  site = await serveFolder(dist);
  return () => site[Symbol.asyncDispose]();
}, 180_000);

/** The values of an attribute in HTML. */
function attribute(html: string, name: string): string[] {
  return [...html.matchAll(new RegExp(`\\s${name}="([^"]*)"`, "g"))].map(([, value = ""]) =>
    value.replaceAll("&amp;", "&"),
  );
}

describe("the site of docs/", () => {
  it("type-checks", async () => {
    const tsc = join(root, "docs", "node_modules", "typescript", "bin", "tsc");
    await expect(output(join(bin, "node"), [tsc, "-p", "docs"])).resolves.toBe("");
  });

  it("has each page of docs/, the changelog and the reference", () => {
    for (const page of [...written, "project/changelog", "project/contributing", "reference/index"]) {
      expect([...built.keys()]).toContain(page);
    }
  });

  it("has each page in its sidebar, the reference's pages in their own", () => {
    const main = attribute(built.get("herd") ?? "", "href");
    const reference = attribute(built.get("reference/index") ?? "", "href");
    const pages = [...built.keys()].filter((page) => page !== "404" && page !== "index");
    expect(pages.length).toBeGreaterThan(30);
    const missing = pages.filter((page) => {
      const links = page.startsWith("reference/") ? reference : main;
      return !links.includes(`/${page.replace(/(^|\/)index$/, "$1")}`) && !links.includes(`/${page}.html`);
    });
    expect(missing).toEqual([]);
  });

  it("describes each page by its first sentences, for web searches", () => {
    for (const page of ["tags", "http", "guides/express", "concepts/stampedes"]) {
      const description = descriptionOf(page) ?? "none";
      expect(description).toMatch(/^[A-Z`].{20,200}\.$/);
      expect(attribute(built.get(page) ?? "", "content").map((text) => text.replaceAll("&quot;", '"'))).toContain(
        description,
      );
    }
  });

  it("has no link or anchor that leads nowhere, the reference's included", () => {
    const ids = new Map([...built].map(([page, html]) => [page, new Set(attribute(html, "id"))]));
    const faults: string[] = [];
    for (const [page, html] of built) {
      for (const href of new Set(attribute(html, "href"))) {
        if (/^[a-z][a-z\d+.-]*:/i.test(href) || href === "") continue;
        const [path = "", anchor] = href.split("#");
        const target = path === "" ? page : posix.join(posix.dirname(`/${page}`), "x", "..", path).slice(1);
        const name = decodeURIComponent(posix.isAbsolute(path) ? path.slice(1) : target)
          .replace(/\.html$/, "")
          .replace(/(^|\/)$/, "$1index");
        const isFile = existsSync(join(dist, name));
        if (!ids.has(name) && !isFile) faults.push(`${page}: ${href} leads to no page`);
        else if (anchor && ids.has(name) && !ids.get(name)?.has(decodeURIComponent(anchor))) {
          faults.push(`${page}: ${href} leads to no heading`);
        }
      }
    }
    expect(faults).toEqual([]);
  });

  it("has the Markdown of each page, and lists them in llms.txt; llms-full.txt has the text of all", () => {
    const list = readFileSync(join(dist, "llms.txt"), "utf8");
    const full = readFileSync(join(dist, "llms-full.txt"), "utf8");
    expect(full).not.toMatch(/\]\(\.\.\//);
    for (const page of written) {
      // A folder's index stands beside the folder.
      const file = `${page.replace(/\/index$/, "")}.md`;
      const markdown = readFileSync(join(dist, file), "utf8");
      expect(list, page).toContain(`(/${file})`);
      const [line = ""] = /^## .+$/m.exec(markdown) ?? [];
      expect(full, page).toContain(line);
      // Links that leave the site name the repository.
      const broken = linksOf(markdown).filter(({ href }) => {
        const [path = ""] = href.split("#");
        if (path === "" || /^[a-z]+:/i.test(path) || /\.(?:png|svg)$/.test(path)) return false;
        const target = path.startsWith("/") ? path : posix.join("/", posix.dirname(file), path);
        return ![target, `${target}.md`, `${target}index.md`].some((file) => existsSync(join(dist, file)));
      });
      expect(broken, page).toEqual([]);
    }
  });
});

/** Opens pages of the site, and notes what is wrong with them meanwhile. */
async function openPages(browser: Browser, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => void (message.type() === "error" && problems.push(message.text())));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${site.url}/`) && !url.startsWith("data:")) problems.push(`a request to ${url}`);
  });
  const open = async (name: string) => {
    await page.goto(`${site.url}/${name === "index" ? "" : `${name}.html`}`, { waitUntil: "networkidle" });
  };
  return { page, problems, open, [Symbol.asyncDispose]: () => context.close() };
}

/** The page of a link, without `.html`. */
function pageOf(link: string): string {
  const path = link.replace(/#.*$/, "").slice(1);
  return path.replace(/\.html$/, "").replace(/(^|\/)$/, "$1index");
}

/** Types into the search box, and returns the pages of its first three results. */
async function search(page: Page, question: string): Promise<string[]> {
  const box = page.locator("#localsearch-input");
  await box.fill("");
  await page.locator(".VPLocalSearchBox .result").first().waitFor({ state: "detached" });
  await box.fill(question);
  await page.locator(".VPLocalSearchBox .result").first().waitFor();
  const links = await page
    .locator(".VPLocalSearchBox .result")
    .evaluateAll((results) => results.map((result) => result.getAttribute("href") ?? ""));
  return links.slice(0, 3).map(pageOf);
}

describe.skipIf(!hasBrowser)("the site, in a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());

  it("asks no other host and logs no error on any page, and no page is wider than a phone", async () => {
    // A large reference is made of pages of one kind.
    const names = [...built.keys()].filter((name) => !name.startsWith("reference/") || KINDS.includes(name));
    const visit = async () => {
      await using opened = await openPages(browser, { viewport: PHONE });
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        if (name === "404") continue;
        await opened.open(name);
        const width = await opened.page.evaluate<number>("document.documentElement.scrollWidth");
        if (width > PHONE.width) opened.problems.push(`${name} is ${width} pixels wide`);
      }
      return opened.problems;
    };
    // Most of the time a page waits for half a second without requests.
    expect((await Promise.all([visit(), visit(), visit()])).flat()).toEqual([]);
  });

  it("draws the diagrams of each page that has some, in both colour schemes", async () => {
    await using opened = await openPages(browser);
    const withDiagrams = written.filter((page) =>
      readFileSync(join(root, "docs", `${page}.md`), "utf8").includes("```mermaid"),
    );
    expect(withDiagrams).toEqual(expect.arrayContaining(["herd", "near-cache"]));
    for (const name of withDiagrams) {
      const count = readFileSync(join(root, "docs", `${name}.md`), "utf8").split("```mermaid").length - 1;
      for (const colorScheme of ["light", "dark"] as const) {
        await opened.page.emulateMedia({ colorScheme });
        await opened.open(name);
        const drawn = opened.page.locator(".diagram > svg[aria-roledescription]");
        const all = async () => {
          // Each is drawn when it is near the window.
          await opened.page.evaluate("document.querySelector('.diagram-text')?.scrollIntoView()");
          return (await drawn.count()) === count;
        };
        await until(all, { what: `${count} diagrams of ${name}` });
        expect(await opened.page.locator(".diagram-text").count()).toBe(0);
      }
    }
    expect(opened.problems).toEqual([]);
  });

  it("follows the scheme of the system, and a switch changes it", async () => {
    await using opened = await openPages(browser, { colorScheme: "dark" });
    await opened.open("herd");
    const background = () => opened.page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    const dark = await background();
    await opened.page.locator(".VPNavBarAppearance button, .VPSwitchAppearance").first().click();
    await until(async () => (await background()) !== dark, { what: "the light scheme" });
    expect(await opened.page.locator("html").getAttribute("class")).not.toContain("dark");
  });

  it("copies the code of a block", async () => {
    await using opened = await openPages(browser, { permissions: ["clipboard-read", "clipboard-write"] });
    await opened.open("index");
    await opened.page.locator("div.language-sh").first().hover();
    await opened.page.locator("div.language-sh button.copy").first().click();
    const copied = () => opened.page.evaluate<string>("navigator.clipboard.readText()");
    await until(async () => (await copied()).trim() === "npm install valkey-edge-cache", { what: "the copied text" });
  });

  it("answers each question of a newcomer within the first three results of its search", async () => {
    await using opened = await openPages(browser);
    await opened.open("index");
    await opened.page.locator("#local-search button").first().click();
    const missed: string[] = [];
    for (const [question, ...answers] of QUESTIONS) {
      // An answer that is no page would never be found.
      expect(
        answers.filter((page) => !built.has(page)),
        question,
      ).toEqual([]);
      const results = await search(opened.page, question);
      if (!results.some((page) => answers.includes(page))) missed.push(`${question}: ${results.join(", ")}`);
    }
    expect(QUESTIONS.length).toBeGreaterThanOrEqual(30);
    expect(missed).toEqual([]);
    // The search is of the site's own.
    expect(opened.problems).toEqual([]);
  });

  describe.each(["light", "dark"] as const)("in %s", (colorScheme) => {
    it.each(KINDS)("%s has no fault that axe finds", async (name) => {
      for (const viewport of [DESKTOP, PHONE]) {
        await using opened = await openPages(browser, { colorScheme, viewport });
        await opened.open(name);
        await opened.page.evaluate(axeSource);
        const found = await opened.page.evaluate<string[]>(
          "axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => id + ': ' + html.slice(0, 200) + ' ' + failureSummary)))",
        );
        expect(found, `${viewport.width} pixels wide`).toEqual([]);
      }
    });
  });
});
