import { filled, missingPackage } from "../core/runtime.js";

/**
 * Imports `lz4-napi`. Bundles for runtimes without native code hold no-lz4.ts in the place of this file (`imports` of
 * package.json), as bundlers for those fail at the package's native addon.
 * @throws {ConfigurationError} when the package is not installed
 */
export async function importLz4(): Promise<typeof import("lz4-napi")> {
  try {
    return filled(await import("lz4-napi"));
  } catch (cause) {
    throw missingPackage("lz4-napi", "lz4()", cause);
  }
}
