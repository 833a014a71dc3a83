import type * as Glide from "@valkey/valkey-glide";
import { ConfigurationError } from "../../core/errors.js";

export type * as Glide from "@valkey/valkey-glide";
export type GlideModule = typeof Glide;
type LogLevel = Parameters<GlideModule["Logger"]["setLoggerConfig"]>[0];

/** GLIDE has no build for this platform. */
export class GlideMissingError extends ConfigurationError {}

let loading: Promise<GlideModule> | undefined;

/** GLIDE itself, loaded by the first dial; a failure is not remembered. @throws {GlideMissingError} */
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
 * Node 20 takes twice as long to `import` CommonJS as to `require` it, and no bundler follows a `createRequire`: so that
 * way is tried first, and the one that bundlers see second.
 */
async function load(logLevel: LogLevel): Promise<GlideModule> {
  const module = required() ?? (await import("@valkey/valkey-glide"));
  // Process-wide, and before the first client: GLIDE logs to standard output, coloured, when nobody asked.
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
