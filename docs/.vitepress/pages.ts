import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { PROJECT_PAGES, root, siteMarkdown } from "./links.ts";

const docs = join(root, "docs");

/** A group of the sidebar. */
interface Section {
  readonly text: string;
  /** The folder whose pages it has. */
  readonly folder?: string;
  /** Pages in their order, without `.md`, after the folder's index; those of the folder that are not named follow in alphabetical order. */
  readonly pages: readonly string[];
}

/** The rest of docs/ itself is in "Features". */
const SECTIONS: readonly Section[] = [
  { text: "Start", pages: ["start"] },
  {
    text: "Guides",
    folder: "guides",
    pages: [
      "express",
      "fastify",
      "hono",
      "nextjs",
      "nestjs",
      "nitro-nuxt",
      "sveltekit",
      "lambda",
      "vercel",
      "workers",
      "bun",
      "deno",
      "elasticache",
      "memorydb",
      "memorystore",
      "azure",
      "cluster",
      "sentinel",
      "tls",
    ],
  },
  {
    text: "Recipes",
    folder: "recipes",
    pages: [
      "slow-function",
      "per-user-and-tenant",
      "negative-results",
      "stale-on-error",
      "warm-up",
      "outgoing-calls",
      "cron-lock",
      "idempotent-jobs",
      "rate-limits",
      "sessions",
      "deploys",
      "testing",
      "metrics-and-alerts",
    ],
  },
  { text: "Concepts", folder: "concepts", pages: ["stampedes", "invocations", "failures", "consistency"] },
  {
    text: "Features",
    folder: ".",
    pages: ["options", "herd", "tags", "near-cache", "http", "definitions", "namespaces", "per-request", "locks"],
  },
  { text: "Reference", pages: ["reference/index", "errors", "cli", "stored-bytes", "versions"] },
  { text: "Compare", pages: ["compare", "benchmarks"] },
  {
    text: "Migrate",
    folder: "migrate",
    pages: ["from-django-valkey", "cache-manager", "keyv", "unstorage"],
  },
  { text: "Troubleshooting", pages: ["troubleshooting", "doctor"] },
  { text: "Decisions", folder: "decisions", pages: ["design"] },
  { text: "Project", folder: "project", pages: ["changelog"] },
];

/** Where the pages are that are made from doc comments. */
const REFERENCE = "reference";

/** How many characters of a description web searches show. */
const DESCRIPTION = 160;

/** An entry of the sidebar, in the theme's shape. */
export interface Item {
  text: string;
  link?: string;
  collapsed?: boolean;
  items?: Item[];
}

/** Writes the pages of the site whose texts stand outside of docs/. */
export function writeProjectPages(): void {
  rmSync(join(docs, "project"), { recursive: true, force: true });
  for (const [page, source] of PROJECT_PAGES) {
    const file = join(docs, page);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, siteMarkdown(source, readFileSync(join(root, source), "utf8")));
  }
}

/** The paths below docs/ of all pages of the site, without `.md`. */
export function sitePages(): string[] {
  const paths = globSync("**/*.md", { cwd: docs, exclude: ["node_modules", ".vitepress"] });
  return paths
    .map((path) => path.replaceAll("\\", "/").replace(/\.md$/, ""))
    .filter((path) => !/^(?:node_modules|\.vitepress)\//.test(path))
    .sort();
}

/** The sidebar of all pages but those of the reference, and that of the reference. */
export function sidebar(): Record<string, Item[]> {
  const pages = sitePages();
  const groups = [...contents(pages)].map(([{ text }, own]) => ({
    text,
    collapsed: text !== "Start",
    items: own.map(pageItem),
  }));
  const bars: Record<string, Item[]> = { "/": groups.filter(({ items }) => items.length > 0) };
  // Written by the build, so that it is absent in a fresh clone.
  if (pages.includes(`${REFERENCE}/index`)) bars[`/${REFERENCE}/`] = referenceItems(pages);
  return bars;
}

/** The first page of each section, for the bar at the top. */
export function firstPages(): { text: string; link: string; activeMatch: string }[] {
  return [...contents(sitePages())].flatMap(([{ text, folder }, [first]]) => {
    if (first === undefined || !SHOWN_AT_THE_TOP.includes(text)) return [];
    const active = folder === undefined || folder === "." ? `${first}$` : `${folder}/`;
    return [{ text, link: linkTo(first), activeMatch: `^/${active}` }];
  });
}

const SHOWN_AT_THE_TOP = ["Start", "Guides", "Recipes", "Concepts", "Features", "Reference", "Compare"];

/** The title of a page: its first heading, as text. */
export function titleOf(page: string): string {
  const markdown = readFileSync(join(docs, `${page}.md`), "utf8");
  const [, heading] = /^# (.+)$/m.exec(markdown) ?? [];
  return heading === undefined ? (page.split("/").at(-1) ?? page) : plain(heading);
}

/** The title of the page that a link of `from` leads to; undefined where it leaves the site. */
export function titleOfLink(from: string, link: string): string | undefined {
  const [path = ""] = link.split("#");
  const page = posix.normalize(posix.join(posix.dirname(from), path)).replace(/\.md$/, "");
  return sitePages().includes(page) ? titleOf(page) : undefined;
}

/** The first sentences of a page, for the lists of web searches; undefined where it begins otherwise. */
export function descriptionOf(page: string): string | undefined {
  const markdown = readFileSync(join(docs, `${page}.md`), "utf8").replace(/<!--[\s\S]*?-->/g, "");
  const [, paragraph] = /^# .+\n+((?!```)[A-Z`*[][^\n]*(?:\n[^\n]+)*)/m.exec(markdown) ?? [];
  if (paragraph === undefined) return undefined;
  const sentences = plain(paragraph.replaceAll("\n", " ")).split(/(?<=\.) /);
  let text = sentences[0] ?? "";
  for (const sentence of sentences.slice(1)) {
    if (text.length + sentence.length > DESCRIPTION) break;
    text += ` ${sentence}`;
  }
  return text;
}

/** The pages of each section, in their order. */
function contents(pages: readonly string[]): Map<Section, string[]> {
  const found = new Map(SECTIONS.map((section) => [section, namedPages(section, pages)]));
  const taken = new Set([...found.values()].flat());
  for (const [section, own] of found) {
    own.push(...pages.filter((page) => dirname(page) === section.folder && page !== "index" && !taken.has(page)));
  }
  return found;
}

/** The pages that a section names, in its folder or in docs/ itself. */
function namedPages({ folder, pages: named }: Section, pages: readonly string[]): string[] {
  const isFolder = folder !== undefined && folder !== ".";
  const first = isFolder && pages.includes(`${folder}/index`) ? [`${folder}/index`] : [];
  const rest = named.flatMap((name) => {
    const inFolder = isFolder ? `${folder}/${name}` : name;
    const page = pages.includes(inFolder) ? inFolder : name;
    return pages.includes(page) ? [page] : [];
  });
  return [...first, ...rest];
}

/** The subjects of the main entry point, and the other subpaths of the package. */
function referenceItems(pages: readonly string[]): Item[] {
  const own = pages.filter((page) => page.startsWith(`${REFERENCE}/`) && page !== `${REFERENCE}/index`);
  const isSubpath = (page: string) => titleOf(page).includes("/");
  const index = pageItem(`${REFERENCE}/index`);
  return [
    { text: "Reference", items: [index, ...own.filter((page) => !isSubpath(page)).map(pageItem)] },
    { text: "Subpaths", items: own.filter(isSubpath).map(pageItem) },
  ];
}

function pageItem(page: string): Item {
  // The theme takes the text as HTML.
  const text = titleOf(page).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return { text, link: linkTo(page) };
}

function linkTo(page: string): string {
  return `/${page.replace(/(^|\/)index$/, "$1")}`;
}

/** A heading without its marks. */
function plain(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\s*\{#[^}]+\}$/, "")
    .replace(/[`*]/g, "")
    .replace(/\\(.)/g, "$1")
    .trim();
}
