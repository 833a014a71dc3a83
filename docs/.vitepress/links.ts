import { existsSync, readFileSync, statSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where the repository's files are shown, without a slash at the end. */
export const repository = repositoryPage();

/** Files outside of docs/ that are pages of the site, by the page that they become below docs/. */
export const PROJECT_PAGES = new Map([
  ["project/changelog.md", "CHANGELOG.md"],
  ["project/contributing.md", "CONTRIBUTING.md"],
  ["project/security.md", "SECURITY.md"],
  ["project/benches.md", "bench/README.md"],
]);

/**
 * The anchor of a heading by the rules of GitHub, so that a link with an anchor works there and on the site. A heading whose
 * text stands twice in a page gets a number, which the caller adds.
 */
export function slugOf(heading: string): string {
  const kept = heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "");
  return kept.replaceAll(" ", "-");
}

/**
 * The link as it has to stand on the site: to a page of the site where there is one, else to the repository's file.
 * @param from the file with the link, as a path from the repository's root
 * @param place where its text stands on the site, as such a path
 */
export function siteLink(from: string, href: string, place = siteFile(from)): string {
  const { path, anchor } = parts(href);
  if (path === undefined) return href;
  const target = posix.normalize(posix.join(posix.dirname(from), path));
  const page = pageOf(target, anchor);
  if (page !== undefined) return posix.relative(posix.dirname(place), `docs/${page}`) + anchor;
  const kind = existsSync(`${root}${target}`) && statSync(`${root}${target}`).isDirectory() ? "tree" : "blob";
  return `${repository}/${kind}/main/${target}${anchor}`;
}

/** Markdown with the links of `siteLink`, and images where they are from the page's new place. Code stays as it is. */
export function siteMarkdown(from: string, markdown: string, place = siteFile(from)): string {
  const link = /(?<code>^(?<fence>```+|~~~+)[\s\S]*?^\k<fence>|`[^`\n]+`)|(?<open>!?\[[^\]]*\]\()(?<href>[^)\s]+)\)/gm;
  return markdown.replace(link, (text: string, ...rest: unknown[]) => {
    const { open, href } = rest.at(-1) as { open?: string; href?: string };
    if (open === undefined || href === undefined) return text;
    return `${open}${open.startsWith("!") ? movedImage(from, href, place) : siteLink(from, href, place)})`;
  });
}

function movedImage(from: string, href: string, place: string): string {
  const { path } = parts(href);
  if (path === undefined) return href;
  return posix.relative(posix.dirname(place), posix.join(posix.dirname(from), path));
}

/** `path` is undefined where the link stays in its page or leaves the project. */
function parts(href: string): { path: string | undefined; anchor: string } {
  const [, path = "", anchor = ""] = /^([^#]*)(#.*)?$/s.exec(href) ?? [];
  const isRelative = path !== "" && !path.startsWith("/") && !/^[a-z][a-z\d+.-]*:/i.test(path);
  return { path: isRelative ? path : undefined, anchor };
}

/** The path below docs/ of the page that shows a file. */
function pageOf(target: string, anchor: string): string | undefined {
  for (const [page, source] of PROJECT_PAGES) if (source === target) return page;
  // The home page has the README's subjects, not its headings.
  if (target === "README.md" && anchor === "") return "index.md";
  return target.startsWith("docs/") && target.endsWith(".md") ? target.slice("docs/".length) : undefined;
}

/** Where a file stands among the site's sources. */
function siteFile(path: string): string {
  for (const [page, source] of PROJECT_PAGES) if (source === path) return `docs/${page}`;
  return path;
}

function repositoryPage(): string {
  const { repository: named } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
    repository?: { url?: string };
  };
  const url = named?.url ?? "git+https://github.com/valkey-edge-cache/valkey-edge-cache.git";
  return url.replace(/^git\+/, "").replace(/\.git$/, "");
}
