import { join } from "node:path";
import { expect, it } from "vitest";
import { bin } from "../support/project.js";
import { createApp } from "./app.js";

const compilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  module: "nodenext",
  target: "es2022",
  lib: ["es2023", "esnext.disposable", "dom", "dom.iterable"],
  types: ["node"],
  // Next's own declarations need those of packages that it has in itself.
  skipLibCheck: true,
  noEmit: true,
};

/** Programs that give the handlers to what Next takes. */
const USE = `
  import { createRequire } from "node:module";
  import type { NextConfig } from "next";
  import type { CacheHandler as UseCacheHandler } from "next/dist/server/lib/cache-handlers/types.js";
  import type { CacheHandler } from "next/dist/server/lib/incremental-cache/index.js";
  import { createCache } from "valkey-edge-cache";
  import { incrementalCacheHandler, useCacheHandler } from "valkey-edge-cache/next";
  import Ready from "valkey-edge-cache/next/incremental";
  import ready from "valkey-edge-cache/next/use-cache";

  const cache = createCache({ location: "memory:" });
  export const use: UseCacheHandler[] = [ready, useCacheHandler({ cache }), useCacheHandler({ location: "memory:", maxTtl: "1d" })];
  export const pages: (typeof CacheHandler)[] = [Ready, incrementalCacheHandler({ cache, buildId: "one" })];

  const { resolve } = createRequire(import.meta.url);
  export const config: NextConfig = {
    cacheHandler: resolve("valkey-edge-cache/next/incremental"),
    cacheHandlers: { default: resolve("valkey-edge-cache/next/use-cache"), remote: resolve("valkey-edge-cache/next/use-cache") },
  };
`;

function compile(source: string): Promise<string> {
  const app = createApp({
    "package.json": '{ "private": true, "type": "module" }',
    "use.ts": source,
    "tsconfig.json": JSON.stringify({ compilerOptions, files: ["use.ts"] }),
  });
  return app.run(join(bin, "tsc"), "-p", ".").finally(() => app[Symbol.dispose]());
}

it("the handlers have the types that Next takes", async () => {
  await expect(compile(USE)).resolves.toBe("");
}, 120_000);

it("a handler that Next doesn't take would not compile", async () => {
  await expect(compile(`${USE} export const wrong: UseCacheHandler = new Ready({});`)).rejects.toThrow("TS2739");
}, 120_000);
