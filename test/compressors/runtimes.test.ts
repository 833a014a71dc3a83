import { describe, expect, it, vi } from "vitest";
import { brotli } from "../../src/compressors/brotli.js";
import { zstd } from "../../src/compressors/zstd.js";
import { ConfigurationError } from "../../src/core/errors.js";
import { filled, missingPackage, optionalPackage } from "../../src/core/runtime.js";
import { TEXT } from "../contract/compressor.js";

describe("where a runtime feature or a package is missing", () => {
  it("brotli() and zstd() name the function and the runtimes that have it", () => {
    vi.spyOn(process, "getBuiltinModule").mockReturnValue({});
    expect(() => brotli().compress(TEXT)).toThrow(ConfigurationError);
    expect(() => brotli().compress(TEXT)).toThrow("brotli() needs brotliCompressSync of node:zlib");
    expect(() => zstd().compress(TEXT)).toThrow("use Node from 22.15, Bun or Deno, or zlib()");
    expect(() => zstd().decompress(TEXT, 1)).toThrow("zstd() needs zstdDecompressSync of node:zlib");
  });

  it("a missing package is named with the install command, and loading is retried later", async () => {
    const missing = missingPackage("x", "xz()", new Error("Cannot find package 'x'\n at"));
    const get = optionalPackage(vi.fn(() => Promise.resolve("module")).mockRejectedValueOnce(missing));
    const failed = get();
    await expect(failed).rejects.toThrow(ConfigurationError);
    await expect(failed).rejects.toThrow(
      "xz() needs the package x, which could not be loaded (Cannot find package 'x'); run: npm install x",
    );
    await expect(failed).rejects.toMatchObject({ cause: expect.any(Error) });
    expect(await get()).toBe("module");
  });

  it("an empty module in a bundle is no package", () => {
    for (const module of [{}, { default: {} }])
      expect(() => filled(module)).toThrow("missing when this bundle was made");
    for (const module of [{ pack: 1 }, { default: { pack: 1 } }]) expect(filled(module)).toBe(module);
  });

  it("a package is loaded once for all callers, and later calls return synchronously", async () => {
    const load = vi.fn(() => Promise.resolve("module"));
    const get = optionalPackage(load);
    expect(load).not.toHaveBeenCalled();
    expect(await Promise.all([get(), get(), get()])).toEqual(["module", "module", "module"]);
    expect(get()).toBe("module");
    expect(load).toHaveBeenCalledOnce();
  });
});
