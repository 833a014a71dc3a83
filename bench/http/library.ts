import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** What a server process uses of the library. */
export type Library = Pick<typeof import("valkey-edge-cache"), "createCache" | "nearCache"> &
  Pick<typeof import("valkey-edge-cache/hono"), "httpCache">;

/**
 * Imports the library as it is installed, or from another checkout of this project.
 * @param checkout a folder with a built `dist/`
 */
export async function importLibrary(checkout?: string): Promise<Library> {
  const find = checkout === undefined ? (name: string) => name : inCheckout(checkout);
  const { createCache, nearCache } = (await import(find("valkey-edge-cache"))) as Library;
  const { httpCache } = (await import(find("valkey-edge-cache/hono"))) as Library;
  return { createCache, nearCache, httpCache };
}

/** The absolute path of a checkout. @throws Error where it is not built */
export function builtCheckout(folder: string): string {
  const checkout = resolve(folder);
  if (existsSync(join(checkout, "dist", "index.js"))) return checkout;
  throw new Error(`--before ${checkout}: there is no dist/index.js; run node scripts/build.mjs in that folder`);
}

/** A package can import itself by its name, so the checkout's own package.json says which files these are. */
function inCheckout(checkout: string): (name: string) => string {
  const { resolve: find } = createRequire(join(checkout, "package.json"));
  return (name) => pathToFileURL(find(name)).href;
}
