import { createRequire } from "node:module";
import { join } from "node:path";

const { resolve } = createRequire(import.meta.url);

/** The files of the handlers: Next's own, the application's own, those of the package, or others by path. */
const files = {
  next: [],
  own: ["./use-cache-handler.mjs", "./incremental-handler.mjs"],
  package: ["valkey-edge-cache/next/use-cache", "valkey-edge-cache/next/incremental"],
};
const { HANDLERS = "package" } = process.env;
const [useCache, incremental] = (files[HANDLERS] ?? HANDLERS.split(",")).map((name) => resolve(name));

/** What both applications have in common. One build serves with each kind of handlers. */
export const common = {
  generateBuildId: () => process.env.BUILD_ID ?? "first",
  // The folder of the packages.
  turbopack: { root: join(import.meta.dirname, "..", "..") },
  ...(useCache && {
    cacheHandlers: { default: useCache, remote: useCache },
    cacheHandler: incremental,
    cacheMaxMemorySize: 0,
  }),
};
