import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { consumerOfPacked } from "../support/packed.js";
import { runtime } from "../support/project.js";
import { bundleWorker, runWorker } from "../support/worker.js";
import { createApp, expectHit, moved, openApp, PROGRAM, storedKeys } from "./app.js";

interface Bundler {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly build: readonly [string, ...string[]];
  readonly program: readonly [string, ...string[]];
  /** What carries the commands where valkey-glide is not installed. */
  readonly alone: "iovalkey" | "valkey-glide";
}

const ESM = { "app.js": PROGRAM, "package.json": '{ "private": true, "type": "module" }' };
const CONFIGURED = { ...ESM, "vite.config.js": "export default { ssr: { noExternal: true } };" };
const SCRIPT = { "app.js": PROGRAM };
const ESBUILD = ["esbuild", "app.js", "--bundle", "--platform=node"] as const;
const WITH_GLIDE = ["--conditions=valkey-glide", "--loader:.node=copy"];

const BUNDLERS: readonly Bundler[] = [
  {
    name: "esbuild, CommonJS",
    files: SCRIPT,
    build: [...ESBUILD, "--outfile=out/app.cjs"],
    program: ["node", "out/app.cjs"],
    alone: "iovalkey",
  },
  {
    name: "esbuild, ES modules",
    files: SCRIPT,
    build: [...ESBUILD, "--format=esm", "--outfile=out/app.mjs"],
    program: ["node", "out/app.mjs"],
    alone: "iovalkey",
  },
  {
    name: "esbuild, with valkey-glide",
    files: SCRIPT,
    build: [...ESBUILD, ...WITH_GLIDE, "--outfile=out/app.cjs"],
    program: ["node", "out/app.cjs"],
    alone: "valkey-glide",
  },
  {
    name: "rollup",
    files: ESM,
    build: ["rollup", "app.js", "-p", "node-resolve", "-d", "out"],
    program: ["node", "out/app.js"],
    alone: "iovalkey",
  },
  {
    name: "rolldown",
    files: ESM,
    build: ["rolldown", "app.js", "--platform", "node", "-d", "out"],
    program: ["node", "out/app.js"],
    alone: "iovalkey",
  },
  {
    name: "vite for SSR, everything bundled",
    files: CONFIGURED,
    build: ["vite", "build", "--ssr", "app.js", "--outDir", "out"],
    program: ["node", "out/app.js"],
    alone: "iovalkey",
  },
  {
    name: "webpack, for production",
    files: SCRIPT,
    build: ["webpack", "--entry", "./app.js", "--target", "node", "--mode", "production", "-o", "out"],
    program: ["node", "out/main.js"],
    alone: "iovalkey",
  },
  {
    name: "webpack, for development",
    files: SCRIPT,
    build: [
      "webpack",
      "--entry",
      "./app.js",
      "--target",
      "node",
      "--mode",
      "development",
      "-o",
      "out",
      "--output-filename",
      "main.cjs",
    ],
    program: ["node", "out/main.cjs"],
    alone: "iovalkey",
  },
  {
    name: "bun build, for Node",
    files: ESM,
    build: ["bun", "build", "app.js", "--target=node", "--outdir", "out"],
    program: ["node", "out/app.js"],
    alone: "valkey-glide",
  },
  {
    name: "bun build, for Bun",
    files: ESM,
    build: ["bun", "build", "app.js", "--target=bun", "--outdir", "out"],
    program: ["bun", "out/app.js"],
    alone: "valkey-glide",
  },
  {
    name: "bun build --compile",
    files: ESM,
    build: ["bun", "build", "app.js", "--compile", "--outfile", "out/app"],
    program: ["out/app"],
    alone: "valkey-glide",
  },
  {
    name: "deno bundle",
    files: ESM,
    build: ["deno", "bundle", "--platform=deno", "-o", "out/app.js", "app.js"],
    program: ["deno", "run", "-A", "out/app.js"],
    alone: "iovalkey",
  },
];

/** Bun and Deno are not everywhere under these names. */
async function located([name, ...args]: readonly [string, ...string[]]): Promise<[string, ...string[]] | undefined> {
  const path = /^(?:bun|deno)$/.test(name) ? await runtime(name) : name;
  return path === undefined ? undefined : [path, ...args];
}

describe("an application bundled by", () => {
  it.for(BUNDLERS)("$name uses valkey-glide where it is installed, and caches alone", async (bundler, { skip }) => {
    const [build, program] = [await located(bundler.build), await located(bundler.program)];
    if (build === undefined || program === undefined)
      return skip(`${bundler.build[0]} has no package for this platform`);
    using app = createApp(bundler.files);
    await app.run(...build);
    await expectHit(app, "valkey-glide", ...program);
    using alone = moved(app);
    await expectHit(alone, bundler.alone, ...program);
  });

  it("vite for SSR with its defaults imports the package, which uses valkey-glide", async () => {
    using app = createApp(ESM);
    await app.run("vite", "build", "--ssr", "app.js", "--outDir", "out");
    await expectHit(app, "valkey-glide", "node", "out/app.js");
  });

  it("deno compile caches", async ({ skip }) => {
    const deno = await runtime("deno");
    if (deno === undefined) return skip("deno has no package for this platform");
    using app = createApp(ESM);
    const compiled = await app.run(deno, "compile", "-A", "-o", "out/app", "app.js").catch(String);
    skip(/download|error sending request|dns error/i.test(compiled), "what deno compile embeds can't be downloaded");
    await expectHit(app, "valkey-glide", "out/app");
  });
});

describe("an application without the optional packages of what it imports", () => {
  const program = `
    import { createCache } from "valkey-edge-cache";
    import { lz4 } from "valkey-edge-cache/lz4";
    import { lzma } from "valkey-edge-cache/lzma";
    import { msgpack } from "valkey-edge-cache/msgpack";

    async function main() {
      const all = [{ compressor: lz4({ minLength: 0 }) }, { compressor: lzma({ minLength: 0 }) }, { serializer: msgpack() }];
      for (const options of all) {
        const cache = createCache({ location: "memory:", ...options });
        const { name, message } = await cache.set("city", "Bern").catch((error) => error);
        console.log(name, message.replace(/ \\(.*\\)/, ""));
      }
    }

    main();
  `;
  // rollup's plugin is not installed there.
  const bundlers = BUNDLERS.filter(({ name }) => name !== "rollup");

  it.for(bundlers)(
    "is bundled by $name, and names the missing package",
    async ({ files, build, ...bundler }, { skip }) => {
      const [command, start] = [await located(build), await located(bundler.program)];
      if (command === undefined || start === undefined) return skip(`${build[0]} has no package for this platform`);
      using consumer = await consumerOfPacked();
      for (const [name, text] of Object.entries({ ...files, "app.js": program })) consumer.write(name, text);
      const app = openApp(consumer.folder);
      await app.run(...command);
      expect((await app.run(...start)).trim().split("\n")).toEqual([
        "ConfigurationError lz4() needs the package lz4-napi, which could not be loaded; run: npm install lz4-napi",
        "ConfigurationError lzma() needs the package lzma-native, which could not be loaded; run: npm install lzma-native",
        "ConfigurationError msgpack() needs the package msgpackr, which could not be loaded; run: npm install msgpackr",
      ]);
    },
  );
});

describe("a function for Lambda in one file", () => {
  const handler = `
    import { createCache, herd } from "valkey-edge-cache";
    import { lambdaHandler } from "valkey-edge-cache/hosts";

    const { VALKEY_URL: location, KEY_PREFIX: keyPrefix } = process.env;
    const cache = createCache({ location, keyPrefix, client: herd() });
    let loads = 0;

    export const handler = lambdaHandler(cache, async ({ id }, context, cache) => {
      const value = await cache.getOrSet(id, () => {
        loads++;
        return { name: "Bern" };
      });
      const { transport } = await cache.health();
      return { value, loads, transport };
    });
  `;
  /** What Lambda does: it loads the file and calls the handler. */
  const invoke = (file: string) => `
    import("./${file}")
      .then(({ handler }) => handler({ id: "city" }, {}))
      .then((answer) => process.stdout.write(JSON.stringify(answer), () => process.exit()));
  `;

  it.each([
    ["index.mjs", "--format=esm"],
    ["index.cjs", "--format=cjs"],
  ])("caches as %s of esbuild, without node_modules", async (file, format) => {
    using app = createApp({ "handler.js": handler });
    await app.run("esbuild", "handler.js", "--bundle", "--platform=node", format, `--outfile=out/${file}`);
    using lambda = createApp({ [file]: readFileSync(join(app.folder, "out", file), "utf8") }, tmpdir());
    expect(readdirSync(join(app.folder, "out"))).toEqual([file]);
    await expectHit(lambda, "iovalkey", "node", "--eval", invoke(file));
  });
});

describe("a Worker that wrangler has bundled", () => {
  it("caches over iovalkey", async () => {
    using consumer = await consumerOfPacked();
    const worker = `
      import { createCache, herd } from "valkey-edge-cache";
      import { workerHandler } from "valkey-edge-cache/hosts";

      let loads = 0;
      export default {
        fetch: workerHandler(
          (env) => createCache({ location: env.VALKEY_URL, keyPrefix: env.KEY_PREFIX, client: herd() }),
          async (request, env, context, cache) => {
            const value = await cache.getOrSet("city", () => {
              loads++;
              return { name: "Bern" };
            });
            const { transport } = await cache.health();
            return Response.json({ value, loads, transport });
          },
        ),
      };
    `;
    const script = await bundleWorker(consumer, worker);
    const bindings = { VALKEY_URL: inject("valkeyUrl"), KEY_PREFIX: basename(consumer.folder) };
    for (const loads of [1, 0]) {
      await using running = await runWorker(script, bindings);
      const { text } = await running.fetch("/");
      expect(JSON.parse(text)).toEqual({ value: { name: "Bern" }, loads, transport: "iovalkey" });
    }
    expect(await storedKeys(consumer)).toHaveLength(1);
  });
});

describe("a bundle that can't do what is asked of it", () => {
  it("names the ways to valkey-glide where glide() has none", async () => {
    const program = PROGRAM.replace("client:", "connectionFactory: glide(), client:").replace(
      "herd }",
      "glide, herd }",
    );
    using app = createApp({
      "app.js": program.replace("main();", "main().catch((error) => console.log(error.message));"),
    });
    await app.run(...ESBUILD, "--outfile=out/app.cjs");
    using alone = moved(app);
    const printed = await alone.run("node", "out/app.cjs");
    expect(printed).toContain(
      "valkey-glide is neither in this bundle nor installed beside it; install @valkey/valkey-glide",
    );
    expect(printed).toContain('bundle with the condition "valkey-glide", or use iovalkey()');
  });

  it("names the bundler's flag where it was made for browsers", async () => {
    using app = createApp(SCRIPT);
    await app.run("esbuild", "app.js", "--bundle", "--outfile=out/app.cjs");
    await expect(app.run("node", "out/app.cjs")).rejects.toThrow(/for Node, bundle with --platform=node \(esbuild\)/);
  });
});
