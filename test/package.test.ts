import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { CONSUMER, MODULES, TYPED } from "./fixtures/consumer.js";
import { pack } from "./support/packed.js";
import { bin, manifest, nodes, output, root } from "./support/project.js";

/** The order in which every known tool finds its own entry. */
const CONDITIONS = ["types", "workerd", "edge-light", "fastly", "deno", "bun", "node", "browser", "default"];

const programs = [...(await nodes())];

describe("the exports of package.json", () => {
  const sources = readdirSync(join(root, "src")).filter((name) => name.endsWith(".ts"));
  const entries = Object.entries(manifest.exports).flatMap(([path, target]) =>
    typeof target === "string" ? [] : [{ path, target }],
  );

  it("name existing sources, including every file at the top of src/", () => {
    const targets = entries.flatMap(({ target }) => Object.values(target));
    const named = new Set(targets.map((file) => file.replace(/^\.\/dist\/(.*?)(\.d\.ts|\.js)$/, "$1.ts")));
    expect([...named].filter((file) => !file.includes("/")).sort()).toEqual(sources.sort());
    for (const file of named) expect(existsSync(join(root, "src", file)), file).toBe(true);
  });

  it.each(entries)("have types first, default last and ordered conditions for $path", ({ target }) => {
    const source = target.default?.replace(/js$/, "");
    expect(target).toMatchObject({ types: `${source}d.ts`, default: `${source}js` });
    expect(Object.keys(target)).toEqual(CONDITIONS.filter((condition) => condition in target));
  });

  it("include package.json for tools", () => {
    expect(manifest.exports["./package.json"]).toBe("./package.json");
  });
});

describe("the packed package", () => {
  const folder = mkdtempSync(join(tmpdir(), "package-"));
  const consumer = join(folder, "consumer");
  let tarball: string;

  beforeAll(async () => {
    tarball = await pack(folder);
    mkdirSync(consumer);
    writeFileSync(join(consumer, "package.json"), '{ "name": "consumer", "private": true, "type": "module" }');
    await output("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", tarball], consumer);
    // ./hono and ./otel have these peers.
    for (const peer of ["hono", "@opentelemetry/api"]) {
      mkdirSync(dirname(join(consumer, "node_modules", peer)), { recursive: true });
      symlinkSync(join(root, "node_modules", peer), join(consumer, "node_modules", peer), "junction");
    }
  }, 180_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const installed = (...path: string[]) => join(consumer, "node_modules", manifest.name, ...path);
  const read = (...path: string[]) => readFileSync(installed(...path), "utf8");

  const run = (program: string, source: string, ...args: string[]) =>
    output(program, ["--input-type=module", "--eval", source, ...args], consumer);

  it("contains only what users need", async () => {
    const files = (await output("tar", ["-tzf", tarball])).trim().split("\n");
    const others = files.filter(
      (file) => !/^package\/(dist\/.*\.(js|js\.map|d\.ts)|(dist\/vendor\/)?[A-Z]+(\.md)?|package\.json)$/.test(file),
    );
    expect(others).toEqual([]);
    const named = ["README.md", "LICENSE", "CHANGELOG.md", "dist/index.js", "dist/vendor/NOTICE.md"];
    expect(files).toEqual(expect.arrayContaining(named.map((name) => `package/${name}`)));
    expect(files.filter((file) => /^package\/dist\/cli\/.*\.d\.ts$/.test(file))).toEqual([]);
  });

  it("has readable code: lines of usual length, with the names and comments of the sources", () => {
    const own = readdirSync(installed("dist"), { recursive: true, encoding: "utf8" }).filter((name) =>
      /^(?!vendor\b).*\.js$/.test(name),
    );
    expect(own.length).toBeGreaterThan(50);
    // The inspector's page is one long text in its file.
    const minified = own.filter((name) => {
      const lines = read("dist", name)
        .split("\n")
        .filter((line) => !line.startsWith("import ") && line.length < 10_000);
      return lines.length > 20 && lines.join("").length / lines.length > 80;
    });
    expect(minified).toEqual([]);
    expect(read("dist", "index.js")).toContain("/** ");
  });

  it("has a source map for each of its own files, with the whole sources, by paths below its folder", () => {
    const files = readdirSync(installed("dist"), { recursive: true, encoding: "utf8" });
    const maps = files.filter((name) => name.endsWith(".js.map"));
    for (const name of maps) {
      const map = JSON.parse(read("dist", name)) as { sources: string[]; sourcesContent: (string | null)[] };
      const paths = map.sources.map((source) =>
        relative(installed(), resolve(dirname(installed("dist", name)), source)),
      );
      for (const [index, path] of paths.entries()) {
        // The build puts the inspector's page in the place of a constant.
        if (path === join("src", "inspector", "page.ts")) continue;
        if (path.startsWith("src")) {
          expect(map.sourcesContent[index], `${name}: ${path}`).toBe(readFileSync(join(root, path), "utf8"));
        } else {
          expect(path, name).toMatch(/^(scripts|node_modules)\b/);
        }
      }
      expect(read("dist", name.replace(/\.map$/, ""))).toContain(`sourceMappingURL=${basename(name)}`);
    }
    const unmapped = files.filter((name) => name.endsWith(".js") && !maps.includes(`${name}.map`));
    const withCode = unmapped.filter((name) => !name.startsWith("vendor") && !isOfImportsAlone(read("dist", name)));
    expect(withCode).toEqual([]);
  });

  it.each(programs)("shows sources in stack traces on Node %s with --enable-source-maps", async (_version, program) => {
    const file = join(consumer, "wrong.mjs");
    const call = "try { createCache({ tttl: 1 }); } catch (error) { console.log(error.stack); }";
    writeFileSync(file, `import { createCache } from "${manifest.name}";\n${call}\n`);
    const stack = await output(program, ["--enable-source-maps", file], consumer);
    const line = readFileSync(join(root, "src/index.ts"), "utf8")
      .split("\n")
      .findIndex((text) => text.includes("return makeCache("));
    expect(stack).toContain(`${join(realpathSync(installed()), "src/index.ts")}:${line + 1}:`);
  });

  it("has a README whose relative links npm resolves: the repository is on GitHub, and has their files", () => {
    expect(manifest.repository.url).toMatch(/^git\+https:\/\/github\.com\/[\w-]+\/[\w-]+\.git$/);
    for (const name of ["README.md", "CHANGELOG.md"]) {
      const links = [...read(name).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)|(?:src|srcset|href)="([^"#:]+)"/g)];
      const paths = links.map(([, link = "", attribute = ""]) => link || attribute);
      expect(paths.filter((path) => path.startsWith("/") || !existsSync(join(root, path)))).toEqual([]);
    }
  });

  it("passes publint", async () => {
    const { buffer } = new Uint8Array(readFileSync(tarball));
    const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it("has types that resolve in every kind of ESM project", async () => {
    await expect(output(join(bin, "attw"), [tarball, "--profile", "esm-only"])).resolves.toContain("🟢");
  }, 120_000);

  it("has types that compile in a strict project without Node's types", async () => {
    writeFileSync(join(consumer, "use.ts"), TYPED);
    const compilerOptions = {
      strict: true,
      module: "NodeNext",
      target: "ES2023",
      lib: ["ES2023", "ESNext.Disposable", "DOM"],
      types: [],
      noEmit: true,
    };
    writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
    await expect(output(join(bin, "tsc"), ["-p", consumer])).resolves.toBe("");
  }, 120_000);

  it.each(programs)("caches in memory and exports every subpath on Node %s", async (_version, program) => {
    const paths = Object.keys(manifest.exports).filter((path) => path !== "./package.json");
    const names = paths.map((path) => path.replace(/^\./, manifest.name));
    await expect(run(program, CONSUMER, ...names)).resolves.toBe('{"name":"Bern"}\n');
  });

  it.each(programs)("can be required by CommonJS, with every subpath, on Node %s", async (_version, program) => {
    const names = Object.keys(manifest.exports).map((path) => path.replace(/^\./, manifest.name));
    const file = join(consumer, "all.cjs");
    writeFileSync(
      file,
      `const names = ${JSON.stringify(names)};
       console.log(names.every((name) => typeof require(name) === "object") && typeof require("${manifest.name}").createCache);`,
    );
    await expect(output(program, [file], consumer)).resolves.toBe("function\n");
  });

  it("is imported by a TypeScript project that compiles to CommonJS, from TypeScript 5.8 on", async () => {
    const folder = join(consumer, "commonjs");
    mkdirSync(folder);
    writeFileSync(join(folder, "package.json"), '{ "type": "commonjs" }');
    writeFileSync(
      join(folder, "use.ts"),
      `import { createCache } from "${manifest.name}";\nexport const cache = createCache({ location: "memory:" });\n`,
    );
    const lib = ["ES2022", "ESNext.Disposable", "DOM"];
    const compilerOptions = { strict: true, module: "NodeNext", target: "ES2022", lib, types: [], noEmit: true };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
    const compile = (version: string) =>
      output(join(bin, "node"), [join(root, `node_modules/typescript-${version}/bin/tsc`), "-p", folder]);
    await expect(compile("5.8")).resolves.toBe("");
    await expect(compile("5.7")).rejects.toThrow("TS1479");
  }, 60_000);

  it("loads GLIDE with the first command, and no transport at import", async () => {
    const { imported, used } = JSON.parse(await run(join(bin, "node"), MODULES, inject("valkeyUrl"))) as Loaded;
    const transports = /\/node_modules\/(@valkey\/valkey-glide|iovalkey)\//;
    expect(imported.filter((url) => transports.test(url))).toEqual([]);
    expect(used.some((url) => transports.test(url))).toBe(true);
    // Each file is one more read at a cold start.
    const own = imported.filter((url) => url.includes(`/node_modules/${manifest.name}/`));
    expect(own.length).toBeGreaterThan(0);
    expect(own.length).toBeLessThanOrEqual(2);
  });
});

/** Whether a file only passes on what other files have. */
function isOfImportsAlone(code: string): boolean {
  return code.replace(/^\s*(?:import|export)\b[^;]*;?|\/\/.*$/gm, "").trim() === "";
}

interface Loaded {
  /** Modules loaded by the import of the package. */
  imported: string[];
  /** Modules loaded after a command. */
  used: string[];
}
