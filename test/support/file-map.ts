import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "./project.js";

/** A line of a map: "- `path`: what is there". */
const ENTRY = /^- `([^`]+)`: (\S.*)$/;

/**
 * Compares a list of paths in Markdown with the files that exist; one sentence for each difference.
 *
 * A line's path is a file, a folder that ends in `/`, or a pattern with `*` for a part of a file's name. A folder's
 * line covers the files under it that have no line of their own.
 */
export function differences(map: string, markdown: string, files: readonly string[]): string[] {
  const lines = markdown.split("\n").filter((line) => line.startsWith("- `"));
  const malformed = lines.filter((line) => !ENTRY.test(line));
  const paths = lines.flatMap((line) => ENTRY.exec(line)?.[1] ?? []);
  const single = paths.filter((path) => !path.endsWith("/"));
  const folders = paths.filter((path) => path.endsWith("/"));
  return [
    ...malformed.map((line) => `${map}: "${line}" is not of the form "- \`path\`: what is there"; rewrite it`),
    ...paths
      .filter((path, index) => paths.indexOf(path) < index)
      .map((path) => `${map} has two lines for ${path}; remove one`),
    ...paths
      .filter((path) => !files.some((file) => covers(path, file)))
      .map((path) => `${map} has a line for ${path}, which does not exist; remove or rename it`),
    ...files.flatMap((file) => {
      const own = single.filter((path) => covers(path, file));
      if (own.length > 1) return [`${map} has more than one line for ${file}: ${own.join(", ")}; keep one`];
      const isCovered = own.length === 1 || folders.some((path) => covers(path, file));
      return isCovered ? [] : [`${map} has no line for ${file}; add one, or one for its folder`];
    }),
  ];
}

function covers(path: string, file: string): boolean {
  if (path.endsWith("/")) return file.startsWith(path);
  const [first = "", ...parts] = path.split("*");
  if (parts.length === 0) return file === first;
  const pattern = [first, ...parts].map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join("[^/]*");
  return new RegExp(`^${pattern}$`).test(file);
}

/** Paths of the files under a folder of the repository, with `/` between their parts. Installed packages are left out. */
export function filesUnder(folder: string, ending: string): string[] {
  const paths = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return paths
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(ending) && !path.includes("node_modules/"))
    .sort();
}
