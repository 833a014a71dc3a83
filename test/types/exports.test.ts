import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript-6.0";
import { expect, it } from "vitest";
import { consumerOfPacked } from "../support/packed.js";
import { manifest, root } from "../support/project.js";

it("declarations name only types that their subpath or the main entry point exports", async () => {
  using consumer = await consumerOfPacked("hono", "@opentelemetry/api", "unstorage");
  const folder = realpathSync(join(consumer.folder, "node_modules", manifest.name));
  const entries = Object.entries(manifest.exports).flatMap(([path, target]) =>
    typeof target === "string" || target.types === undefined ? [] : [[path, join(folder, target.types)] as const],
  );
  expect(entries.length).toBeGreaterThan(10);
  expect(unexported(Object.fromEntries(entries), folder, join(folder, "dist", "index.d.ts"))).toEqual([]);
}, 180_000);

it("a declaration that names a type of its own file is found, wherever the name stands", () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "declarations-")));
  try {
    const main = join(folder, "index.d.ts");
    writeFileSync(
      main,
      `interface Hidden<T> { readonly value: T }
       declare const shape: { a: number };
       export interface Shown { readonly own: Shown; other(): Promise<Hidden<string>> }
       export interface Wider extends Hidden<number> {}
       export declare class Kept { #secret; private hidden; protected shape: typeof shape }
       export declare function make<Hidden>(of: Hidden): Shown;
       export {};`,
    );
    expect(unexported({ ".": main }, folder, main)).toEqual([
      ".: Kept names shape",
      ".: Shown names Hidden",
      ".: Wider names Hidden",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** The exported declarations that name a type of `folder` which a user can't import, as sentences. */
function unexported(files: Readonly<Record<string, string>>, folder: string, main: string): string[] {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts"],
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
    noEmit: true,
    skipLibCheck: true,
  };
  const program = ts.createProgram([...Object.values(files)], options);
  const checker = program.getTypeChecker();
  const known = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const exportsOf = (file: string): Map<ts.Symbol, string> => {
    const source = program.getSourceFile(file);
    const module = source && checker.getSymbolAtLocation(source);
    if (!module) throw new Error(`${file} is not a module`);
    return new Map(checker.getExportsOfModule(module).map((symbol) => [known(symbol), symbol.name]));
  };
  const ofMain = exportsOf(main);
  const found = new Set<string>();
  for (const [path, file] of Object.entries(files)) {
    const ofPath = exportsOf(file);
    for (const [exported, name] of ofPath) {
      for (const declaration of exported.declarations ?? []) {
        if (!isUnder(folder, declaration)) continue;
        for (const named of namesIn(declaration)) {
          const symbol = checker.getSymbolAtLocation(named);
          const meant = symbol && known(symbol);
          const place = meant?.declarations?.[0];
          if (!meant || !place || meant.flags & ts.SymbolFlags.TypeParameter || !isUnder(folder, place)) continue;
          if (!ofPath.has(meant) && !ofMain.has(meant)) found.add(`${path}: ${name} names ${meant.name}`);
        }
      }
    }
  }
  return [...found].sort();
}

function isUnder(folder: string, node: ts.Node): boolean {
  return node.getSourceFile().fileName.startsWith(folder.replaceAll("\\", "/"));
}

/** The names of types and of values' types in a declaration, but not in its private members. */
function namesIn(node: ts.Node): ts.Node[] {
  if (ts.canHaveModifiers(node) && node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)) return [];
  const own: ts.Node[] = [];
  if (ts.isTypeReferenceNode(node)) own.push(node.typeName);
  else if (ts.isTypeQueryNode(node)) own.push(node.exprName);
  else if (ts.isExpressionWithTypeArguments(node)) own.push(node.expression);
  else if (ts.isImportTypeNode(node) && node.qualifier) own.push(node.qualifier);
  ts.forEachChild(node, (child) => void own.push(...namesIn(child)));
  return own;
}
