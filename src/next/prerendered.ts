import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type {
  CacheControl,
  IncrementalContext,
  IncrementalEntry,
  IncrementalGetContext,
  IncrementalValue,
} from "./incremental-port.js";

/** Next's own handler, as far as it is used here. */
interface FileSystemCache {
  get(cacheKey: string, context: IncrementalGetContext): Promise<IncrementalEntry<IncrementalValue> | null>;
}

/** A name in a variable is not resolved where the package is missing. */
const OWN_HANDLER: string = "next/dist/server/lib/incremental-cache/file-system-cache.js";

let loaded: Promise<new (context: object) => FileSystemCache> | undefined;

/** Lifetimes of pages by folder of the build. */
const manifests = new Map<string, Promise<Readonly<Record<string, Prerendered>>>>();

interface Prerendered {
  readonly initialRevalidateSeconds?: number | false;
  readonly initialExpireSeconds?: number;
}

/**
 * A page that `next build` has generated, with its lifetime. Next reads its files by a handler of its own, which another one
 * takes the place of.
 * @returns `undefined` where there is none
 */
export async function prerendered(
  handler: IncrementalContext,
  cacheKey: string,
  context: IncrementalGetContext,
): Promise<(IncrementalEntry<IncrementalValue> & { cacheControl: CacheControl }) | undefined> {
  const { serverDistDir } = handler;
  if (serverDistDir === undefined) return undefined;
  try {
    const page = (await manifestOf(dirname(serverDistDir)))[pathOf(cacheKey)];
    const { initialRevalidateSeconds: revalidate, initialExpireSeconds: expire } = page ?? {};
    if (revalidate === undefined) return undefined;
    loaded ??= import(OWN_HANDLER).then(({ default: own }) => own.default ?? own);
    const files = new (await loaded)({ ...handler, flushToDisk: false, maxMemoryCacheSize: 0, revalidatedTags: [] });
    const found = await files.get(cacheKey, context);
    return found ? { ...found, cacheControl: { revalidate, expire } } : undefined;
  } catch {
    // Other versions of Next may have other files. The page is generated.
    return undefined;
  }
}

function manifestOf(folder: string): Promise<Readonly<Record<string, Prerendered>>> {
  const known =
    manifests.get(folder) ??
    readFile(join(folder, "prerender-manifest.json"), "utf8").then((text) => JSON.parse(text).routes);
  manifests.set(folder, known);
  return known;
}

/** Next 16.4 puts the route before the path of a page: `/route-cache/APP_PAGE/…/$/a`. */
function pathOf(cacheKey: string): string {
  const path = cacheKey.replace(/^\/route-cache\/.*?\/\$\//, "/");
  return path === "/index" ? "/" : path;
}
