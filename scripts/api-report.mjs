// @ts-check

/**
 * Writes test/types/api/: the declarations that each subpath exports, without comments. A change of a public signature shows
 * there as a change of a file, for reviews.
 *
 *     npm run api
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript-6.0";
import { build } from "./build.mjs";
import { ensurePackages } from "./packages.mjs";
import { SUBPATHS } from "./reference/contents.mjs";
import { root, script } from "./run.mjs";

/** Where the report is. The files are no source code for tools, so their names end in `.txt`. */
export const FOLDER = join(root, "test", "types", "api");

/**
 * The report: a text for each subpath, by the name of its file. What several subpaths export is declared in the first of
 * them, and the others refer to it.
 * @returns {Map<string, string>}
 */
export function apiReport() {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  // What adapters share is declared by the subpath that is for all of them.
  const order = [".", ...Object.keys(SUBPATHS)];
  const entries = Object.entries(exports)
    .filter(([, target]) => typeof target === "object")
    .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .map(([subpath, { types }]) => ({ subpath: `${name}${subpath.slice(1)}`, file: join(root, types) }));
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    {
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      types: ["node"],
      typeRoots: [join(root, "node_modules", "@types")],
      noEmit: true,
      skipLibCheck: true,
    },
  );
  const checker = program.getTypeChecker();
  /** @type {Map<ts.Symbol, string>} how what is declared so far is imported */
  const known = new Map();
  /** @type {Map<string, string>} */
  const report = new Map();
  for (const { subpath, file } of entries) {
    const source = program.getSourceFile(file);
    const module = source && checker.getSymbolAtLocation(source);
    if (!module) throw new Error(`api: ${file} is no module; correct the exports of package.json`);
    const lines = checker
      .getExportsOfModule(module)
      .map((exported) => ({ exported, symbol: aliased(exported, checker) }))
      .sort((a, b) => (a.exported.name < b.exported.name ? -1 : 1))
      .map(({ exported, symbol }) => {
        const elsewhere = known.get(symbol);
        if (elsewhere !== undefined) return referTo(elsewhere, exported.name);
        known.set(symbol, `${symbol.name} ${subpath}`);
        return declared(symbol, exported.name);
      });
    report.set(fileOf(subpath, name), `// ${subpath}\n\n${lines.join("\n\n")}\n`);
  }
  return report;
}

/** @param {string} subpath @param {string} packageName */
function fileOf(subpath, packageName) {
  const path = subpath === packageName ? "index" : subpath.slice(packageName.length + 1);
  return `${path.replaceAll("/", "-")}.d.ts.txt`;
}

/** @param {ts.Symbol} symbol @param {ts.TypeChecker} checker */
function aliased(symbol, checker) {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** @param {string} known @param {string} exported */
function referTo(known, exported) {
  const [name = "", subpath = ""] = known.split(" ");
  return `export { ${name === exported ? name : `${name} as ${exported}`} } from "${subpath}";`;
}

/** @param {ts.Symbol} symbol @param {string} exported its name for those who import it */
function declared(symbol, exported) {
  const printer = ts.createPrinter({ removeComments: true });
  const texts = (symbol.declarations ?? []).map((declaration) => {
    // A constant is declared in a list in a statement.
    const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
    return printer.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile()).replace(/^(?:export |declare )+/, "");
  });
  const alias = exported === symbol.name ? [] : [`export { ${symbol.name} as ${exported} };`];
  return [...texts, ...alias].join("\n");
}

// npm run api
if (process.argv[1] === import.meta.filename) {
  await script(async () => {
    await ensurePackages();
    await build();
    const report = apiReport();
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    for (const [file, text] of report) writeFileSync(join(FOLDER, file), text);
    return 0;
  });
}
