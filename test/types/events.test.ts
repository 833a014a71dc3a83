import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript-6.0";
import { describe, expect, it } from "vitest";
import { EVENT_NAMES } from "../../src/core/event-types.js";
import { root } from "../support/project.js";

const page = readFileSync(join(root, "docs", "observability.md"), "utf8");
const file = join(root, "src", "core", "event-types.ts");
const program = ts.createProgram([file], {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  strict: true,
  types: [],
  noEmit: true,
});
const checker = program.getTypeChecker();

function typeNamed(name: string): ts.Type {
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  const symbol = module && checker.getExportsOfModule(module).find((one) => one.name === name);
  if (!symbol) throw new Error(`${file} exports no ${name}`);
  return checker.getDeclaredTypeOfSymbol(symbol);
}

const fieldsOf = (type: ts.Type): string[] => type.getProperties().map(({ name }) => name);
const literals = (type: ts.Type): unknown[] =>
  (type.isUnion() ? type.types : [type]).map((one) => (one.isStringLiteral() ? one.value : checker.typeToString(one)));

/** The rows of the table whose first column has this title, without the backticks of their first cell. */
function table(title: string): string[][] {
  const [, rows = ""] = page.split(`| ${title} |`);
  const [body = ""] = rows.split("\n\n");
  const cells = body.split("\n").slice(2);
  return cells
    .map((row) => row.slice(2, -2).split(" | "))
    .map(([name = "", ...rest]) => [name.replaceAll("`", ""), ...rest]);
}

const inBackticks = (cell = ""): string[] => [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);

describe("docs/observability.md", () => {
  it("has a row for each event, in the order of the code", () => {
    expect(table("event").map(([name]) => name)).toEqual(EVENT_NAMES);
  });

  const events = typeNamed("CacheEvents").getProperties();

  it("has rows of events that are typed", () => {
    expect(events.map(({ name }) => name)).toEqual(EVENT_NAMES);
  });

  it.each(events.map((symbol) => ({ name: symbol.name, symbol })))("has the fields of $name", ({ name, symbol }) => {
    const row = table("event").find(([first]) => first === name);
    expect(inBackticks(row?.at(-1)).sort()).toEqual(fieldsOf(checker.getTypeOfSymbol(symbol)).sort());
  });

  it("has a row for each kind of error", () => {
    expect(
      table("`kind`")
        .map(([name]) => name)
        .sort(),
    ).toEqual(literals(typeNamed("ErrorKind")).sort());
  });

  it("has a row for each tracing channel, with the fields of its operation", () => {
    const operation = typeNamed("Operation");
    const kinds = operation.isUnion() ? operation.types : [];
    const fields = kinds.map((kind) => {
      const [name] = literals(checker.getTypeOfSymbol(kind.getProperty("kind") as ts.Symbol));
      return [`valkey-edge-cache:${name}`, fieldsOf(kind).sort()];
    });
    expect(table("tracing channel").map(([name, , cell]) => [name, inBackticks(cell).sort()])).toEqual(fields);
  });
});
