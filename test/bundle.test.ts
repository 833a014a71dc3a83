import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleSize, MAX_CORE_BYTES } from "./support/bundle.js";
import { build, manifest, root } from "./support/project.js";

const CORE = ["createCache", "herd"];

/** What each optional part may add to a Worker that has `createCache` and `herd()`, in bytes. */
const PARTS: readonly { path: string; name: string; maxBytes: number }[] = [
  { path: ".", name: "memory", maxBytes: 15_650 },
  { path: ".", name: "sentinel", maxBytes: 2_850 },
  { path: ".", name: "statistics", maxBytes: 2_600 },
  { path: ".", name: "define", maxBytes: 2_350 },
  { path: ".", name: "wrap", maxBytes: 3_100 },
  { path: ".", name: "nearCache", maxBytes: 12_360 },
  { path: "./fetch", name: "cachedHandler", maxBytes: 33_000 },
  { path: "./fetch", name: "cachedFetch", maxBytes: 35_000 },
  { path: "./fastify", name: "httpCacheFastify", maxBytes: 36_800 },
  { path: "./hono", name: "httpCache", maxBytes: 34_450 },
  { path: "./hono", name: "valkeyCache", maxBytes: 1_560 },
  { path: "./http", name: "HttpCache", maxBytes: 30_400 },
  { path: "./hosts", name: "workerHandler", maxBytes: 400 },
  { path: "./inspector", name: "inspector", maxBytes: 123_000 },
  { path: "./keyv", name: "keyvStore", maxBytes: 2_200 },
  { path: "./next", name: "useCacheHandler", maxBytes: 20_000 },
  { path: "./next/incremental", name: "default", maxBytes: 24_100 },
  { path: "./next/use-cache", name: "default", maxBytes: 23_500 },
  { path: "./node", name: "httpCacheNode", maxBytes: 38_950 },
  { path: "./otel", name: "instrument", maxBytes: 5_100 },
  { path: "./rest", name: "rest", maxBytes: 2_800 },
  // With a near cache, which a configuration may ask for.
  { path: "./unstorage", name: "valkeyDriver", maxBytes: 14_500 },
  // fflate, for runtimes without node:zlib, is most of these three.
  { path: "./zlib", name: "zlib", maxBytes: 16_000 },
  { path: "./gzip", name: "gzip", maxBytes: 16_000 },
  { path: "./deflate", name: "deflate", maxBytes: 16_000 },
  { path: "./brotli", name: "brotli", maxBytes: 1_200 },
  { path: "./zstd", name: "zstd", maxBytes: 1_300 },
  { path: "./lz4", name: "lz4", maxBytes: 1_500 },
  { path: "./lzma", name: "lzma", maxBytes: 2_200 },
  { path: "./bz2", name: "bz2", maxBytes: 5_000 },
  { path: "./msgpack", name: "msgpack", maxBytes: 2_020 },
  { path: "./structured-clone", name: "structuredClone", maxBytes: 600 },
];

describe("the bundle of a Worker, minified and compressed", () => {
  let coreBytes: number;
  /** Lines of a table: what a bundle has, and what it may have. */
  const sizes: string[] = [];

  beforeAll(async () => {
    await build();
    coreBytes = await bundleSize({ ".": CORE });
    sizes.push(`| createCache with herd() | ${coreBytes} | ${MAX_CORE_BYTES} |`);
  }, 120_000);

  // For reviews: .cache/bundle-sizes.md, which GitHub shows with the results of a workflow.
  afterAll(() => {
    const report = `| a Worker's bundle, compressed | bytes | budget |\n|---|--:|--:|\n${sizes.join("\n")}\n`;
    mkdirSync(join(root, ".cache"), { recursive: true });
    writeFileSync(join(root, ".cache", "bundle-sizes.md"), report);
    const { GITHUB_STEP_SUMMARY: summary } = process.env;
    if (summary) appendFileSync(summary, `${report}\n`);
  });

  it(`has at most ${MAX_CORE_BYTES} bytes with createCache and herd()`, () => {
    expect(coreBytes, `createCache with herd(): ${coreBytes} bytes`).toBeLessThanOrEqual(MAX_CORE_BYTES);
  });

  it.each(PARTS)("grows by at most $maxBytes bytes with $name of $path", async ({ path, name, maxBytes }) => {
    const bytes =
      (await bundleSize({ ".": CORE, ...(path === "." ? { ".": [...CORE, name] } : { [path]: [name] }) })) - coreBytes;
    sizes.push(`| ${path} ${name} adds | ${bytes} | ${maxBytes} |`);
    // More than nothing: the core does not carry the part.
    expect(bytes, `${name} adds ${bytes} bytes`).toBeGreaterThan(0);
    expect(bytes, `${name} adds ${bytes} bytes`).toBeLessThanOrEqual(maxBytes);
  });

  it("has a budget for every subpath of the package", () => {
    const subpaths = Object.keys(manifest.exports).filter((path) => path !== "./package.json");
    expect([...new Set(PARTS.map(({ path }) => path))].sort()).toEqual(subpaths.sort());
  });
});
