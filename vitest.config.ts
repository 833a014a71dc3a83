import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = fileURLToPath(new URL("src", import.meta.url));

// biome-ignore lint/style/noDefaultExport: vitest asks for it
export default defineConfig({
  resolve: {
    // The package's own name, as the examples import it, stands for its sources.
    alias: [
      { find: /^valkey-edge-cache$/, replacement: `${src}/index.ts` },
      { find: /^valkey-edge-cache\/(.+)$/, replacement: `${src}/$1.ts` },
    ],
  },
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    globalSetup: "test/support/global-setup.ts",
    // GLIDE is a native addon: processes, not threads.
    pool: "forks",
    maxWorkers: "100%",
    testTimeout: 15_000,
    hookTimeout: 30_000,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
  },
});
