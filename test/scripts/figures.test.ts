import { parseAst } from "rolldown/parseAst";
import { expect, it } from "vitest";
import { figures, measure } from "../../scripts/figures.mjs";

const measured = (text: string) => measure("core/file.ts", text, parseAst);

it("figures count a file's lines without the empty ones at its end", () => {
  expect(measured("const a = 1;\n\nconst b = 2;\n\n").lines).toBe(3);
});

it("figures name a function by its own name, its variable or its method, and count its lines", () => {
  const text = "function one() {\n}\nconst two = () => 1;\nclass Three {\n  four() {\n    return 4;\n  }\n}\n";
  expect(measured(text).functions).toEqual([
    { name: "one", lines: 2 },
    { name: "two", lines: 1 },
    { name: "four", lines: 3 },
  ]);
});

it("figures count casts and non-null assertions, and leave out `as const`, `satisfies` and import aliases", () => {
  const casts = "const a = b as string; const c = <string>d; const e = f!;";
  const others = 'import { g as h } from "i"; const j = [1] as const; const k = { l: 1 } satisfies object;';
  expect(measured(`${casts}\n${others}`).casts).toBe(3);
});

it("figures report the median, the largest files, the longest functions and the casts per 1,000 lines", () => {
  const file = (path: string, lines: number, casts = 0) => ({
    path,
    lines,
    casts,
    functions: [{ name: "run", lines }],
  });
  expect(figures([file("a.ts", 10), file("b.ts", 90, 1), file("c.ts", 100)])).toEqual([
    "files: 3",
    "lines: 200",
    "median lines of a file: 90",
    "files under 40 lines: 1",
    "largest files: c.ts 100, b.ts 90, a.ts 10",
    "longest functions: run (c.ts) 100, run (b.ts) 90, run (a.ts) 10",
    "casts: 1, 5.0 per 1,000 lines",
  ]);
});
