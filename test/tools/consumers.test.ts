import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { USES } from "../fixtures/signatures.js";
import { type Consumer, consumerOfPacked } from "../support/packed.js";
import { bin, manifest, output, root } from "../support/project.js";

/** Every minor version from the oldest that has `NoInfer`, which the declarations use. `typescript` is the newest. */
const VERSIONS = Object.keys(manifest.devDependencies).filter((name) => /^typescript(-|$)/.test(name));
const NEWEST = "typescript";
const OLDEST = "typescript-5.4";

type Resolution = "nodenext" | "bundler";
interface Case {
  readonly version: string;
  readonly resolution: Resolution;
  readonly types: "with Node's types" | "without Node's types";
}

/** Each version resolves in both ways, with and without Node's types; the oldest and the newest in each combination. */
const CASES: readonly Case[] = VERSIONS.flatMap((version) => [
  { version, resolution: "nodenext", types: "with Node's types" } as const,
  { version, resolution: "bundler", types: "without Node's types" } as const,
  ...(version === OLDEST || version === NEWEST
    ? ([
        { version, resolution: "nodenext", types: "without Node's types" },
        { version, resolution: "bundler", types: "with Node's types" },
      ] as const)
    : []),
]);

const NODE_TYPES = ["@types/node", "undici-types"];
const consumers = new Map<Case["types"], Consumer>();

beforeAll(async () => {
  consumers.set("with Node's types", await consumerOfPacked("hono", "fastify", "unstorage", ...NODE_TYPES));
  consumers.set("without Node's types", await consumerOfPacked("hono", "unstorage"));
}, 180_000);

afterAll(() => {
  for (const consumer of consumers.values()) consumer[Symbol.dispose]();
});

it("the versions of TypeScript are the oldest, the newest and those between", () => {
  expect(VERSIONS).toEqual(expect.arrayContaining([OLDEST, NEWEST]));
  expect(VERSIONS.length).toBeGreaterThan(4);
});

it("the project's own tsc is the newest one, although the others have a program of that name", async () => {
  const { version } = JSON.parse(readFileSync(join(root, "node_modules", NEWEST, "package.json"), "utf8"));
  await expect(output(join(bin, "tsc"), ["--version"]), "run: npm rebuild typescript").resolves.toContain(version);
});

describe("a strict project that checks libraries", () => {
  it.each(CASES)(
    "compiles with $version, resolution $resolution, $types",
    async ({ version, resolution, types }) => {
      const consumer = consumers.get(types);
      if (!consumer) throw new Error("there is no such project");
      expect(await diagnostics(consumer, version, resolution, types === "with Node's types")).toEqual([]);
    },
    120_000,
  );

  it("would show an error in a declaration, and a call that does not compile", async () => {
    using consumer = await consumerOfPacked();
    const declaration = join("node_modules", manifest.name, "dist", "hosts", "index.d.ts");
    consumer.write(declaration, "export declare const wrong: Absent;\n");
    const source = `import { createCache } from "${manifest.name}";
      export * from "${manifest.name}/hosts";
      createCache({ location: 5 });
    `;
    expect(await diagnostics(consumer, NEWEST, "nodenext", false, source)).toEqual([
      expect.stringMatching(/^node_modules\/.*index\.d\.ts.*TS2304/),
      expect.stringMatching(/^use\.ts.*TS2322/),
    ]);
  }, 120_000);
});

/** The diagnostics of the consumer's own file, of the package's declarations, and of the project as a whole. */
async function diagnostics(
  { folder, write }: Consumer,
  version: string,
  resolution: Resolution,
  withNode: boolean,
  source = everySubpath(withNode) + USES,
): Promise<string[]> {
  write("use.ts", source);
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    module: resolution === "nodenext" ? "nodenext" : "esnext",
    moduleResolution: resolution,
    target: "es2022",
    lib: ["es2023", "esnext.disposable", ...(withNode ? [] : ["dom", "dom.iterable"])],
    types: withNode ? ["node"] : [],
    // Otherwise links lead to this project's packages, which have Node's types beside them.
    preserveSymlinks: true,
    noEmit: true,
  };
  write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["use.ts"] }));
  const tsc = join(root, "node_modules", version, "bin", "tsc");
  const text = await output(process.execPath, [tsc, "-p", "tsconfig.json", "--pretty", "false"], folder).catch(
    (error) => {
      if (/error TS\d+: /.test(String(error))) return String(error);
      throw error;
    },
  );
  // Lines of one diagnostic after the first are indented.
  const found = text.split("\n").filter((line) => /(^|: )error TS\d+: /.test(line));
  const isOfOthers = (line: string): boolean =>
    line.startsWith("node_modules/") && !line.startsWith(`node_modules/${manifest.name}/`);
  return found.filter((line) => !isOfOthers(line)).sort();
}

/** Imports of all subpaths, so that all declarations are checked. Fastify's own types need those of Node. */
function everySubpath(withNode: boolean): string {
  const others = ["./package.json", ...(withNode ? [] : ["./fastify"])];
  const paths = Object.keys(manifest.exports).filter((path) => !others.includes(path));
  return paths.map((path, i) => `export * as all${i} from "${manifest.name}${path.slice(1)}";\n`).join("");
}
