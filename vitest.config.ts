import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import manifest from "./package.json" with { type: "json" };
import { inspectorPage } from "./scripts/inspector-page.mjs";
import { SlowFilesFirst } from "./test/support/sequencer.js";

const fromRoot = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Maps the package's subpaths, as users import them, to their sources. */
function sourcesByName(host: string): { find: RegExp; replacement: string }[] {
  return Object.entries(manifest.exports).flatMap(([name, target]) => {
    if (typeof target === "string") return [];
    const built = new Map(Object.entries(target)).get(host) ?? target.default;
    const source = built.replace(/^\.\/dist/, "src").replace(/js$/, "ts");
    return [{ find: new RegExp(`^${manifest.name}${name.slice(1)}$`), replacement: fromRoot(source) }];
  });
}

const IN_WORKERD = "test/workerd/**/*.test.ts";

/** Tests in a browser or in a terminal, and of whole programs that docs/ prints, which `npm run test:ui` runs: those take a processor each. */
const UI = [
  "test/docs/{concepts,express-recipes,guides,hosts,recipes,servers,start,testing,troubleshooting}.test.ts",
  "test/cli/*.test.ts",
  "test/examples/{page,walk}.test.ts",
  "test/inspector/page/*.test.ts",
  "test/inspector/{browser,page-live}.test.ts",
];

/**
 * Files that share processes, one after another, as a new process and its modules take longer than most of them. They stop
 * what they start, and change nothing that belongs to a whole process.
 */
const TOGETHER = [
  "test/{adapters,codec,core,definitions,fastify,fetch,hono,http,http-security,lease,model,node,serializers}/**/*.test.ts",
  "test/{connection/resilience,connection/memory,observability,scripts,storage,support,types}/**/*.test.ts",
  "test/client/*.test.ts",
  // The others take long, so that a process of their own is no loss.
  "test/cache/!(contract.*).test.ts",
];

const common = {
  testTimeout: 30_000,
  hookTimeout: 60_000,
  restoreMocks: true,
  unstubEnvs: true,
  unstubGlobals: true,
  // Many test files wait for servers and timers most of the time.
  maxWorkers: availableParallelism() + 2,
};

/** Projects of tests on Node. */
function onNode(name: string, files: { include: string[]; exclude: string[]; isolate: boolean }) {
  return {
    plugins: [inspectorPage()],
    // The examples import the package by its name.
    resolve: { alias: [...sourcesByName("node")] },
    // Processes instead of threads, as GLIDE is a native addon.
    test: { ...common, name, ...files, pool: "forks" as const },
  };
}

// biome-ignore lint/style/noDefaultExport: vitest asks for it
export default defineConfig({
  test: {
    // At the top, so that it runs once and not once for each project.
    globalSetup: "test/support/global-setup.ts",
    sequence: { sequencer: SlowFilesFirst },
    projects: [
      onNode("node", {
        include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
        exclude: [IN_WORKERD, "test/tools/**", ...TOGETHER, ...UI],
        isolate: true,
      }),
      onNode("ui", { include: UI, exclude: [], isolate: true }),
      onNode("together", { include: TOGETHER, exclude: [], isolate: false }),
      {
        plugins: [
          inspectorPage(),
          cloudflareTest(({ inject }) => ({
            // The example, whose Durable Object is tested.
            main: "examples/durable-object/worker.ts",
            miniflare: {
              compatibilityDate: "2026-08-04",
              bindings: { VALKEY_URL: inject("ownUrls").object },
              durableObjects: { VALKEY: "ValkeyObject" },
            },
          })),
        ],
        resolve: { alias: sourcesByName("workerd") },
        test: { ...common, name: "workerd", include: [IN_WORKERD] },
      },
    ],
  },
});
