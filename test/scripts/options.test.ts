import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { optionsIn, optionsPage, PAGES, SECTIONS, withOptions } from "../../scripts/options.mjs";
import { lockDefaults } from "../../src/cache/method-options.js";
import { cacheChecks, cacheDefaults } from "../../src/cache/options.js";
import { herdDefaults } from "../../src/client/herd/options.js";
import { httpCacheChecks, httpCacheDefaults } from "../../src/http/options.js";
import { policyDefaults } from "../../src/http/rfc/policy.js";
import { nearCacheDefaults } from "../../src/near/options.js";
import { root } from "../support/project.js";

const readSource = (file: string) => readFileSync(join(root, "src", file), "utf8");

describe("docs/options.md", () => {
  const page = readFileSync(join(root, "docs", "options.md"), "utf8");

  it("is what npm run options writes", () => {
    expect(page, "run: npm run options").toBe(optionsPage(readSource));
  });

  it.each([...Object.keys(cacheChecks), ...Object.keys(herdDefaults), ...Object.keys(httpCacheChecks)])(
    "has a row for the option %s",
    (name) => {
      expect(page).toContain(`| \`${name}\` |`);
    },
  );
});

it("docs/options.md has the options of every exported function, and leaves out those of ports", () => {
  const ports = "Admission CacheKey Codec Decode Delete Load Send Write WriteEntries".split(" ");
  // They have options of the same names as others, with narrower types.
  const narrowed = ["GetOrSetMany", "LocatedCache", "SetMany"];
  const report = globSync("test/types/api/*", { cwd: root }).map((file) => readFileSync(join(root, file), "utf8"));
  const declared = report.join("\n").matchAll(/^interface (\w+)Options\b[^{]*\{\n +\w/gm);
  const names = [...declared].map(([, name = ""]) => name).filter((name) => ![...ports, ...narrowed].includes(name));
  const shown = new Set(SECTIONS.flatMap(({ parts }) => parts.map(([, name]) => name)));
  expect(names.length).toBeGreaterThan(40);
  expect(names.filter((name) => !shown.has(`${name}Options`))).toEqual([]);
});

it.each(PAGES)("the tables of options in docs/%s are what npm run options writes", (name) => {
  const page = readFileSync(join(root, "docs", name), "utf8");
  expect(page).toContain("<!-- options:");
  expect(page, "run: npm run options").toBe(withOptions(page, readSource));
});

describe("the default in an option's doc comment is the one in the code", () => {
  it.each<[string, string, Readonly<Record<string, unknown>>]>([
    ["cache/options.ts", "CacheOptions", cacheDefaults],
    ["cache/method-options.ts", "LockOptions", lockDefaults],
    ["client/herd/options.ts", "HerdOptions", herdDefaults],
    ["near/options.ts", "NearCacheOptions", nearCacheDefaults],
    ["http/options.ts", "HttpCacheOptions", httpCacheDefaults],
    ["http/rfc/policy.ts", "PolicyOptions", policyDefaults],
  ])("in %s: %s", (file, name, defaults) => {
    const documented = new Map(optionsIn(readSource(file), name).map((option) => [option.name, option.default]));
    for (const [option, value] of Object.entries(defaults)) {
      // Some have their value in another unit behind it.
      expect(documented.get(option)?.split(" (")[0], option).toBe(`\`${JSON.stringify(value)}\``);
    }
  });
});

describe("the options of an interface", () => {
  it("have a name, a type, a default and a sentence", () => {
    const source = `export interface SomeOptions extends Other {
  /** Lifetime | of it. @default "5m" */
  ttl?: Duration | null | undefined;
  /** Called. @default none */
  then?: ((value: string) => void) | undefined;
  /**
   * Two lines
   * of text.
   */
  where: string | number;
}
`;
    expect(optionsIn(source, "SomeOptions")).toEqual([
      { name: "ttl", type: "duration, or `null`", default: '`"5m"`', text: "Lifetime \\| of it." },
      { name: "then", type: "`(value: string) => void`", default: "none", text: "Called." },
      { name: "where", type: "`string \\| number`", default: "required", text: "Two lines of text." },
    ]);
  });

  it("must have a doc comment each", () => {
    expect(() => optionsIn("export interface A {\n  b?: string;\n}\n", "A")).toThrow(
      "A has an option without a doc comment",
    );
    expect(() => optionsIn("", "A")).toThrow("no interface A");
  });
});
