import { describe, expect, it } from "vitest";
import { violations } from "./architecture.js";
import { readSource, type Source } from "./sources.js";

describe("readSource", () => {
  it("finds every way of importing a file, types included", () => {
    const text = `
      import { a } from "./a.js";
      import type { B } from "../codec/b.js";
      export * from "./c.js";
      export type { D } from "./d.js";
      const e = await import("./e.js");
      let f: import("./f.js").F;
      let g: typeof import("./g.js");
      import "./h.js";
      // import "./not.js"
      const text = 'import "./neither.js"';
    `;
    expect(readSource("core/x.ts", text).files).toEqual([
      "core/a.ts",
      "codec/b.ts",
      "core/c.ts",
      "core/d.ts",
      "core/e.ts",
      "core/f.ts",
      "core/g.ts",
      "core/h.ts",
    ]);
  });

  it("names packages without what is inside them, and leaves out Node's own modules", () => {
    const text = `
      import type { GlideClient } from "@valkey/valkey-glide";
      import { x } from "hono/http-exception";
      import fs from "node:fs";
      const y = require("iovalkey");
    `;
    expect(readSource("x.ts", text).packages).toEqual(["@valkey/valkey-glide", "hono", "iovalkey"]);
  });

  it.each(["export default 1;", "const x = 1; export { x as default };", 'export { default } from "./x.js";'])(
    "takes %s for a default export",
    (text) => {
      expect(readSource("x.ts", text).hasDefaultExport).toBe(true);
    },
  );

  it("does not count a default import as a default export", () => {
    expect(readSource("x.ts", 'import x from "y"; export { x };').hasDefaultExport).toBe(false);
  });
});

describe("the rules of the architecture", () => {
  const layers = [["core"], ["codec", "client"], ["."]];
  const found = (...sources: Source[]) => violations(sources, layers);

  it("allow a file to import from rows above its own and from its own folder", () => {
    const sources = [
      file("index.ts", "client/a.ts"),
      file("client/a.ts", "client/b.ts"),
      file("client/b.ts", "core/c.ts"),
    ];
    expect(found(...sources, file("core/c.ts"))).toEqual([]);
  });

  it.each([
    ["upward", "core/a.ts", "client/b.ts"],
    ["sideways", "client/a.ts", "codec/b.ts"],
    ["to the top of src", "client/a.ts", "index.ts"],
    ["out of src", "client/a.ts", "../package.json"],
  ])("forbid an import %s", (_, from, to) => {
    expect(found(file(from, to))).toEqual([`${from} imports ${to}, which is not in a layer above its own`]);
  });

  it("forbid a folder without a layer", () => {
    expect(found(file("helpers/a.ts"))).toEqual(["helpers/a.ts: its folder is in no layer"]);
  });

  it("forbid a cycle and report it once", () => {
    const sources = [file("core/a.ts", "core/b.ts"), file("core/b.ts", "core/c.ts"), file("core/c.ts", "core/a.ts")];
    expect(found(file("core/0.ts", "core/a.ts"), ...sources)).toEqual([
      "a cycle: core/a.ts → core/b.ts → core/c.ts → core/a.ts",
    ]);
  });

  it("forbid imports of a vendor package in two files", () => {
    const sources = [
      { ...file("core/a.ts"), packages: ["fflate"] },
      { ...file("core/b.ts"), packages: ["fflate"] },
    ];
    expect(found(...sources)).toEqual(["fflate is imported in more than one file: core/a.ts, core/b.ts"]);
  });

  it("allow Hono's adapter to use Hono in all its files and one entry point", () => {
    const uses = (path: string) => ({ ...file(path), packages: ["hono"] });
    const adapter = [uses("hono/a.ts"), uses("hono/b.ts"), uses("hono.ts")];
    expect(violations(adapter)).toEqual([]);
    expect(violations([...adapter, uses("http/c.ts")])).toEqual([
      "hono is imported in more than one file: hono.ts, http/c.ts",
    ]);
  });

  it("forbid long files and default exports", () => {
    expect(found({ ...file("core/a.ts"), lines: 351, hasDefaultExport: true })).toEqual([
      "core/a.ts has 351 lines, more than 350",
      "core/a.ts has a default export",
    ]);
  });

  it("allow a default export to the files whose framework asks for one", () => {
    expect(violations([{ ...file("adapters/unstorage.ts"), hasDefaultExport: true }])).toEqual([]);
  });
});

function file(path: string, ...files: string[]): Source {
  return { path, lines: 1, files, packages: [], hasDefaultExport: false };
}
