import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Cache } from "../cache/cache.js";
import { StoredKey } from "../core/key.js";
import { EXIT, Exit } from "./exit-codes.js";

/** The ways in which a module can export a cache, for messages. */
const FORMS = "`export const cache = createCache(…)`, a default export, or a function that returns it";

/**
 * The cache that a module exports: as its default, as `cache`, as `caches`, or what a function there returns. Of several, as
 * `createCaches` returns them, `name` says which.
 * @throws {Exit} where the module can't be loaded, or exports no such cache
 */
export async function cacheOfConfig(file: string, name: string | undefined): Promise<Cache> {
  const exported = await load(file);
  const found = await pick(exported, name, file);
  if (!(found.makeKey("key") instanceof StoredKey)) {
    throw new Exit(
      EXIT.failed,
      `--config: the cache of ${file} is of another copy or version of this package; run the command of the project's own, by npx in its folder`,
    );
  }
  return found;
}

async function load(file: string): Promise<Readonly<Record<string, unknown>>> {
  const path = resolve(file);
  if (!existsSync(path))
    throw new Exit(EXIT.usage, `--config: there is no file ${path}; give the path of a module that exports the cache`);
  try {
    const loaded: Record<string, unknown> = await import(pathToFileURL(path).href);
    return loaded;
  } catch (cause) {
    const isTypeScript = /\.[cm]?tsx?$/.test(path);
    const cannot =
      isTypeScript && cause instanceof Error && "code" in cause && cause.code === "ERR_UNKNOWN_FILE_EXTENSION";
    const remedy = cannot
      ? `Node ${process.versions.node} can't load TypeScript; use Node 22.18 or later, set NODE_OPTIONS="--import tsx", or give a JavaScript module`
      : `loading ${file} failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new Exit(EXIT.failed, `--config: ${remedy}`, { cause });
  }
}

async function pick(
  exported: Readonly<Record<string, unknown>>,
  name: string | undefined,
  file: string,
): Promise<Cache> {
  // The properties of a CommonJS module are at `default`, too.
  const places = [exported.default, exported.cache, exported.caches, exported];
  const seen: string[] = [];
  for (const place of places) {
    if (place === undefined) continue;
    const one = await called(place);
    if (name === undefined && isCache(one)) return one;
    if (!isRecord(one) || isCache(one)) continue;
    if (name !== undefined && Object.hasOwn(one, name)) {
      const named = await called(one[name]);
      if (isCache(named)) return named;
    }
    // The caches of createCaches are made when they are read, so only their names are.
    seen.push(...Object.keys(one).filter((key) => !["close", "default", "module.exports"].includes(key)));
    const [only] = aliases(one);
    if (name === undefined && only !== undefined && aliases(one).length === 1) return pick(exported, only, file);
  }
  const names = [...new Set(seen)];
  if (name !== undefined) {
    const known = names.length > 0 ? `it has ${names.join(", ")}` : "it exports none";
    throw new Exit(EXIT.usage, `--cache: ${file} exports no cache "${name}"; ${known}`);
  }
  const several = names.length > 1 ? `; choose by --cache one of ${names.join(", ")}` : `; export it as ${FORMS}`;
  throw new Exit(EXIT.usage, `--config: ${file} doesn't export one cache${several}`);
}

/** The names of an object of `createCaches`, which has getters. */
function aliases(value: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(value)).flatMap(([key, { get }]) => (get ? [key] : []));
}

/** What a function returns, and anything else as it is. */
async function called(value: unknown): Promise<unknown> {
  return typeof value === "function" && !isCache(value) ? await value() : await value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isCache(value: unknown): value is Cache {
  if (typeof value !== "object" || value === null) return false;
  const methods = ["getOrSet", "makeKey", "close"].map((name) => Reflect.get(value, name));
  return methods.every((method) => typeof method === "function");
}
