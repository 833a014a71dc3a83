import type * as Glide from "@valkey/valkey-glide";
import { ConfigurationError } from "../../core/errors.js";

export type * as Glide from "@valkey/valkey-glide";
export type GlideModule = typeof Glide;
type LogLevel = Parameters<GlideModule["Logger"]["setLoggerConfig"]>[0];

/** GLIDE has no build for this platform. */
export class GlideMissingError extends ConfigurationError {}

let loading: Promise<GlideModule> | undefined;

/** Loads GLIDE once, with the first dial. A failed load is tried again next time. @throws {GlideMissingError} */
export async function loadGlide(logLevel: LogLevel): Promise<GlideModule> {
  loading ??= load(logLevel);
  try {
    return await loading;
  } catch (cause) {
    loading = undefined;
    throw new GlideMissingError("valkey-glide can't be loaded on this platform; use iovalkey()", { cause });
  }
}

/**
 * Tries `require` first, as Node 20 takes twice as long to `import` CommonJS. Bundlers don't follow `createRequire`, so
 * `import` comes second.
 */
async function load(logLevel: LogLevel): Promise<GlideModule> {
  const module = required() ?? (await import("@valkey/valkey-glide"));
  // Set for the process before the first client, as GLIDE logs to standard output by default.
  module.Logger.setLoggerConfig(logLevel);
  return module;
}

function required(): GlideModule | undefined {
  try {
    const { createRequire } = globalThis.process.getBuiltinModule("node:module");
    return createRequire(import.meta.url)("@valkey/valkey-glide") as GlideModule;
  } catch {
    return undefined;
  }
}
