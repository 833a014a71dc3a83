import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import manifest from "./package.json" with { type: "json" };
import { inspectorPage } from "./scripts/inspector-page.mjs";

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

const common = {
  testTimeout: 30_000,
  hookTimeout: 60_000,
  restoreMocks: true,
  unstubEnvs: true,
  unstubGlobals: true,
  // Most test files wait for servers and timers half of the time.
  maxWorkers: availableParallelism() + 1,
};

// biome-ignore lint/style/noDefaultExport: vitest asks for it
export default defineConfig({
  test: {
    // At the top, so that it runs once and not once for each project.
    globalSetup: "test/support/global-setup.ts",
    projects: [
      {
        plugins: [inspectorPage()],
        resolve: {
          // The examples import the package by its name.
          alias: [...sourcesByName("node")],
        },
        test: {
          ...common,
          name: "node",
          include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: [IN_WORKERD, "test/tools/**"],
          // Processes instead of threads, as GLIDE is a native addon.
          pool: "forks",
        },
      },
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
