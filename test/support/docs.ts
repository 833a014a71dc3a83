import { globSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Block, blocksOf } from "./markdown.js";
import { bin, manifest, output, root } from "./project.js";

const docs = join(root, "docs");

/** Inside the repository, so that imports find the package by its own name, and its peers. */
const folder = join(root, ".cache", "docs");

/** A block of a page of docs/. */
export interface DocsBlock extends Block {
  /** Path of its page below docs/. */
  readonly page: string;
  /** Unique among all blocks, and fit for the name of a file. */
  readonly name: string;
}

/** Paths of the pages below docs/ that are written, not generated: `herd.md`, `guides/express.md`. */
export function docsPages(): string[] {
  const ours = (path: string) => !/^(?:reference|project|node_modules|\.vitepress)\//.test(path);
  const paths = globSync("**/*.md", { cwd: docs, exclude: ["node_modules", "reference", "project", ".vitepress"] });
  return paths
    .map((path) => path.replaceAll("\\", "/"))
    .filter(ours)
    .sort();
}

/** The fenced blocks of a page. */
export function docsBlocks(page: string): DocsBlock[] {
  return blocksOf(readFileSync(join(docs, page), "utf8")).map((block) => ({
    ...block,
    page,
    name: `${page.replace(/\.md$/, "").replaceAll("/", "-")}-line-${block.line}`,
  }));
}

/** The first block of a page that contains a text. */
export function documented(page: string, text: string): DocsBlock {
  const block = docsBlocks(page).find(({ code }) => code.includes(text));
  if (!block) throw new Error(`docs/${page} has no block with ${text}`);
  return block;
}

/** Whether a block imports packages that only test/tools installs, so that its test belongs there. */
export function needsTools({ language, before, code }: DocsBlock): boolean {
  const imported = [...`${before}\n${code}`.matchAll(/(?:from|import)\s*\(?\s*"([^".][^"]*)"/g)];
  const names = imported.map(([, path = ""]) => path.split("/", path.startsWith("@") ? 2 : 1).join("/"));
  const installed = { ...manifest.dependencies, ...manifest.devDependencies };
  const isKnown = (name: string) =>
    name === manifest.name ||
    name in installed ||
    builtinModules.includes(name) ||
    /^(?:node|cloudflare|bun):/.test(name);
  return language === "tsx" || !names.every(isKnown);
}

/** The text of a block with other texts in place of some of its own, as of addresses. */
export function replaced({ before, code }: DocsBlock, texts: Readonly<Record<string, string>>): string {
  let source = before === "" ? code : `${before}\n${code}`;
  for (const [own, other] of Object.entries(texts)) source = source.replaceAll(own, other);
  return source;
}

/**
 * Writes a block to a file in a folder of its own, with `files` beside it, and returns the path. Imports find the package by
 * its own name, in dist/: call `build()` before.
 */
export function writeBlock(
  block: DocsBlock,
  texts: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {},
): string {
  const parent = join(folder, "run");
  mkdirSync(parent, { recursive: true });
  const own = mkdtempSync(join(parent, "block-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(own, name), text);
  const file = join(own, `${block.name}.ts`);
  writeFileSync(file, replaced(block, texts));
  return file;
}

/** Runs a block in this process, and returns what it exports. */
export async function importBlock<T>(
  block: DocsBlock,
  texts: Readonly<Record<string, string>>,
  files?: Readonly<Record<string, string>>,
): Promise<T> {
  return import(/* @vite-ignore */ pathToFileURL(writeBlock(block, texts, files)).href) as Promise<T>;
}

/** Type-checks blocks as an application's sources, against declarations in dist/; returns what the compiler prints. */
export async function typeCheck(
  blocks: readonly DocsBlock[],
  modules: Readonly<Record<string, string>>,
  parent: string,
): Promise<string> {
  mkdirSync(parent, { recursive: true });
  const own = mkdtempSync(join(parent, "types-"));
  for (const { name, language, before, code } of blocks) {
    writeFileSync(join(own, `${name}.${language}`), `${before}\n${code}\nexport {};\n`);
  }
  for (const [name, code] of Object.entries(modules)) writeFileSync(join(own, name), code);
  // Types come from dist/, as for users, not from the sources.
  const compilerOptions = {
    rootDir: root,
    paths: {},
    noUnusedLocals: false,
    noUnusedParameters: false,
    jsx: "react-jsx",
    experimentalDecorators: true,
  };
  writeFileSync(
    join(own, "tsconfig.json"),
    JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions, include: ["*.ts", "*.tsx"] }),
  );
  return output(join(bin, "tsc"), ["-p", own]);
}
