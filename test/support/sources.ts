import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAst } from "rolldown/parseAst";

/** One file, as far as the rules of the architecture need it. */
export interface Source {
  /** Path under `src/`, such as `core/key.ts`. */
  readonly path: string;
  readonly lines: number;
  /** Files that it imports, types included, as paths like `path`. */
  readonly files: readonly string[];
  /** Packages that it imports, without Node's own modules. */
  readonly packages: readonly string[];
  readonly hasDefaultExport: boolean;
}

const root = fileURLToPath(new URL("../../src", import.meta.url));

export function readSources(): Source[] {
  const paths = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  return paths.sort().map((path) => readSource(path, readFileSync(join(root, path), "utf8")));
}

export function readSource(path: string, text: string): Source {
  const nodes = [...walk(parseAst(text, { lang: "ts" }))];
  const names = [...new Set(nodes.flatMap(importedBy))];
  const isFile = (name: string) => name.startsWith(".");
  return {
    path,
    lines: text.trimEnd().split("\n").length,
    files: names.filter(isFile).map((name) => toPath(path, name)),
    packages: names.filter((name) => !isFile(name) && !name.startsWith("node:")).map(packageOf),
    hasDefaultExport: nodes.some(isDefaultExport),
  };
}

interface Node {
  readonly type: string;
  readonly [property: string]: unknown;
}

function* walk(value: unknown): Generator<Node> {
  if (typeof value !== "object" || value === null) return;
  if (isNode(value)) yield value;
  for (const child of Object.values(value)) yield* walk(child);
}

function isNode(value: object): value is Node {
  return "type" in value && typeof value.type === "string";
}

const IMPORTING = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType",
]);

function importedBy(node: Node): string[] {
  const source = IMPORTING.has(node.type) ? node.source : isRequire(node) ? firstOf(node.arguments) : undefined;
  return isText(source) ? [source.value] : [];
}

function isRequire({ type, callee }: Node): boolean {
  return (
    type === "CallExpression" &&
    typeof callee === "object" &&
    callee !== null &&
    "name" in callee &&
    callee.name === "require"
  );
}

function isDefaultExport({ type, exported }: Node): boolean {
  if (type === "ExportDefaultDeclaration") return true;
  return (
    type === "ExportSpecifier" &&
    typeof exported === "object" &&
    exported !== null &&
    "name" in exported &&
    exported.name === "default"
  );
}

function firstOf(list: unknown): unknown {
  return Array.isArray(list) ? list[0] : undefined;
}

function isText(value: unknown): value is { value: string } {
  return typeof value === "object" && value !== null && "value" in value && typeof value.value === "string";
}

/** Imports use the names of the compiled files. */
function toPath(importer: string, name: string): string {
  return posix.join(posix.dirname(importer), name).replace(/\.js$/, ".ts");
}

function packageOf(name: string): string {
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}
