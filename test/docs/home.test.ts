import { randomUUID } from "node:crypto";
import { beforeAll, expect, inject, it, onTestFinished, vi } from "vitest";
import { gzip, zlib } from "../../src/compressors/deflate.js";
import { createCache, DecodeError } from "../../src/index.js";
import { documented, importBlock } from "../support/docs.js";
import { build } from "../support/project.js";

beforeAll(() => build(), 120_000);

it("the code of docs/index.md prints the value that it loads", async () => {
  const log = vi.spyOn(console, "log").mockReturnValue();
  const own = `"${inject("valkeyUrl")}", keyPrefix: "home-${randomUUID()}"`;
  const location = { '"valkey://localhost:6379"': own };
  await importBlock(documented("index.md", "createCache"), location);
  expect(log.mock.calls).toEqual([["Bern"]]);
});

it("the code of docs/compression.md stores a value that is much shorter, and reads it", async () => {
  const log = vi.spyOn(console, "log").mockReturnValue();
  const keyPrefix = `compression-${randomUUID()}`;
  const location = { "valkey://localhost:6379": inject("valkeyUrl"), shop: keyPrefix };
  await importBlock(documented("compression.md", "createCache"), location);
  expect(log.mock.calls).toEqual([[1000]]);
  const plain = createCache({ location: inject("valkeyUrl"), keyPrefix });
  onTestFinished(() => plain.close());
  await expect(plain.get("report")).rejects.toThrow(DecodeError);
});

it("an uncompressed value is read under each compressor of docs/compression.md, one of another compressor is not", async () => {
  const options = { location: inject("valkeyUrl"), keyPrefix: `compression-${randomUUID()}` };
  const text = "a long text ".repeat(100);
  const plain = createCache(options);
  const withZlib = createCache({ ...options, compressor: zlib() });
  const withGzip = createCache({ ...options, compressor: gzip() });
  onTestFinished(async () => {
    for (const cache of [plain, withZlib, withGzip]) await cache.close();
  });
  await plain.set("text", text, { ttl: 60 });
  await expect(withZlib.get("text")).resolves.toBe(text);
  await withZlib.set("text", text, { ttl: 60 });
  await expect(withGzip.get("text")).rejects.toThrow(DecodeError);
});
