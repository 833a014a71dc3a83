import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type DocsBlock, docsBlocks } from "./docs.js";

/** A file that a page shows, as printed. */
export interface PrintedFile {
  /** Path below the project, from the block's first line: `// server.ts`. */
  readonly name: string;
  readonly code: string;
}

const NAME = /^(?:\/\/|#|<!--) (?<name>[\w.+/[\]-]+\.\w+)(?: -->)?\n/;

/** The blocks of a page that begin with the name of a file, in the order of the page. */
export function printedFiles(page: string): PrintedFile[] {
  return docsBlocks(page).flatMap(({ code }) => {
    const name = NAME.exec(code)?.groups?.name;
    return name === undefined ? [] : [{ name, code }];
  });
}

/** The first file of a page with this name, and with this text if there are several. */
export function printedFile(page: string, name: string, text = ""): PrintedFile {
  const file = printedFiles(page).find((one) => one.name === name && one.code.includes(text));
  if (!file) throw new Error(`docs/${page} has no block that begins with ${name} and contains "${text}"`);
  return file;
}

/** Writes a file as printed, but for some texts such as addresses. Returns its path. */
export function writePrinted(
  { name, code }: PrintedFile,
  folder: string,
  texts: Readonly<Record<string, string>> = {},
) {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  let written = code;
  for (const [own, other] of Object.entries(texts)) written = written.replaceAll(own, other);
  writeFileSync(path, written);
  return path;
}

/** The lines of a page's shell blocks that begin with a text. */
export function shellLines(page: string, start: string): string[] {
  const isShell = ({ language }: DocsBlock) => language === "sh";
  const lines = docsBlocks(page)
    .filter(isShell)
    .flatMap(({ code }) => code.split("\n"));
  return lines.filter((line) => line.startsWith(start));
}
