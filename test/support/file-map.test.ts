import { expect, it } from "vitest";
import { differences } from "./file-map.js";

const map = (...paths: string[]) => paths.map((path) => `- \`${path}\`: what is there`).join("\n");

it("a map of files agrees with a tree that its files, folders and patterns cover", () => {
  const files = ["core/key.ts", "http/rfc/age.ts", "http/store.ts", "cache/contract.memory.test.ts"];
  const lines = map("core/key.ts", "http/", "http/store.ts", "cache/contract.*.test.ts");
  expect(differences("MAP.md", `# Map\n\nText.\n\n${lines}\n`, files)).toEqual([]);
});

it("a map of files reports a file without a line", () => {
  expect(differences("MAP.md", map("core/key.ts"), ["core/key.ts", "core/time.ts"])).toEqual([
    "MAP.md has no line for core/time.ts; add one, or one for its folder",
  ]);
});

it("a map of files reports lines for files, folders and patterns that do not exist", () => {
  expect(differences("MAP.md", map("a.ts", "b.ts", "c/", "d.*.ts"), ["a.ts"])).toEqual([
    "MAP.md has a line for b.ts, which does not exist; remove or rename it",
    "MAP.md has a line for c/, which does not exist; remove or rename it",
    "MAP.md has a line for d.*.ts, which does not exist; remove or rename it",
  ]);
});

it("a map of files reports a path that has two lines, and a file that two lines cover", () => {
  expect(differences("MAP.md", map("a.ts", "a.ts"), ["a.ts"])[0]).toBe("MAP.md has two lines for a.ts; remove one");
  expect(differences("MAP.md", map("a.ts", "a*.ts"), ["a.ts"])).toEqual([
    "MAP.md has more than one line for a.ts: a.ts, a*.ts; keep one",
  ]);
});

it("a map of files reports a line that says nothing about its path", () => {
  expect(differences("MAP.md", "- `a.ts`", [])).toEqual([
    'MAP.md: "- `a.ts`" is not of the form "- `path`: what is there"; rewrite it',
  ]);
});
