import { missingPackage } from "../core/runtime.js";

/** Stands for lz4-package.ts in runtimes without native code. @throws {ConfigurationError} */
export async function importLz4(): Promise<never> {
  throw missingPackage("lz4-napi", "lz4()", new Error("this runtime has no native code"));
}
