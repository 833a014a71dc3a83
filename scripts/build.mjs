// @ts-check
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { inspectorPage } from "./inspector-page.mjs";
import { ensurePackages } from "./packages.mjs";
import { bin, mustRun, root, Stop, script } from "./run.mjs";
import { buildVendor } from "./vendor.mjs";

const dist = join(root, "dist");
const cache = join(root, ".cache");
const stamp = join(cache, "build-stamp");

/** Builds dist/ from src/, unless it was built from the same sources by the same tools. */
export async function build() {
  const sources = fingerprint();
  if (existsSync(join(dist, "index.js")) && existsSync(stamp) && readFileSync(stamp, "utf8") === sources) return;
  console.log("Building dist/.");
  mkdirSync(cache, { recursive: true });
  // Write to another folder first, so that a failed build leaves the last one in place.
  const target = mkdtempSync(join(cache, "build-"));
  try {
    await Promise.all([buildScripts(target), buildVendor(target, root)]).catch((cause) => {
      throw new Stop(cause.message, { cause });
    });
    await mustRun("Building declarations", join(bin, "tsc"), ["-p", "tsconfig.build.json", "--outDir", target]);
    // Temporary folders are closed to other users.
    chmodSync(target, 0o755);
    swap(target);
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
  writeFileSync(stamp, sources);
}

/**
 * Replaces the old build with the new one. Another build may do the same at the same time.
 * @param {string} target
 */
function swap(target) {
  for (let tries = 1; ; tries += 1) {
    try {
      rmSync(dist, { recursive: true, force: true });
      renameSync(target, dist);
      return;
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

/** @param {string} target */
async function buildScripts(target) {
  // Imported here because it may not be installed yet when this file is loaded.
  const { rolldown } = await import("rolldown");
  const main = new Set();
  const bundle = await rolldown({
    cwd: root,
    input: entries(),
    plugins: [loadedBy(join(root, "src", "index.ts"), main), inspectorPage()],
    external: (id) => !/^[./]/.test(id),
    platform: "neutral",
    transform: { target: "es2022" },
  });
  await bundle.write({
    dir: target,
    format: "esm",
    chunkFileNames: "chunks/[name]-[hash].js",
    // By its path, as some bundlers take every other name for a package that is installed.
    paths: { "#iovalkey": "../vendor/iovalkey.js" },
    // Modules that the main entry point shares with others are one file, since each file costs a fresh process time.
    // Modules of the main entry point alone, such as GLIDE's, stay out of it: bundlers resolve every import they read.
    codeSplitting: { groups: [{ name: "main", test: (id) => main.has(id), minShareCount: 2 }] },
    // Not minified, so that errors and stack traces show readable code. Bundlers for Workers minify.
    minify: false,
    sourcemap: true,
    // By the place in dist/, so that stack traces and debuggers name files below the package's own folder.
    sourcemapPathTransform: (source, map) => {
      const path = resolve(dirname(map), source);
      return relative(join(dist, relative(target, dirname(map))), path).replaceAll("\\", "/");
    },
  });
  await bundle.close();
  // npm makes executables of packages that it installs executable. This one is also run from here.
  chmodSync(join(target, "cli", "bin.js"), 0o755);
}

/**
 * Collects the files that are loaded when a file is imported.
 * @param {string} entry
 * @param {Set<string>} found
 * @returns {import("rolldown").Plugin}
 */
function loadedBy(entry, found) {
  return {
    name: "loaded-by",
    buildEnd() {
      found.add(entry);
      // Iterating a set also visits elements added during the iteration.
      for (const id of found) for (const imported of this.getModuleInfo(id)?.importedIds ?? []) found.add(imported);
    },
  };
}

/** The files that the package's exports, imports and executables name. */
function entries() {
  const { exports, imports, bin: programs } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const targets = JSON.stringify({ exports, imports, programs }).match(/(?<="(?:\.\/)?dist\/)[^"]+(?=\.js")/g) ?? [];
  const own = targets.filter((name) => !name.startsWith("vendor/"));
  return Object.fromEntries(own.map((name) => [name, join("src", `${name}.ts`)]));
}

/** A hash of everything that the build reads. */
function fingerprint() {
  const hash = createHash("sha256");
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.(ts|html|css)$/.test(name),
  );
  const settings = [
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "tsconfig.build.json",
    "scripts/build.mjs",
    "scripts/inspector-page.mjs",
    "scripts/vendor.mjs",
  ];
  for (const path of [...sources.sort().map((name) => join("src", name)), ...settings]) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update("\0");
  }
  return hash.digest("hex");
}

// npm run build
if (process.argv[1] === import.meta.filename) {
  await script(async () => {
    await ensurePackages();
    await build();
    return 0;
  });
}
