import type * as Glide from "@valkey/valkey-glide";
import { ConfigurationError } from "../../core/errors.js";
import { isFirst } from "../copies.js";

export type * as Glide from "@valkey/valkey-glide";
export type GlideModule = typeof Glide;
type LogLevel = Parameters<GlideModule["Logger"]["setLoggerConfig"]>[0];

/** GLIDE can't run in this process: it has no build for the platform, or lacks something that it needs. */
export class GlideMissingError extends ConfigurationError {}

const PACKAGE = "@valkey/valkey-glide";
const NOT_THERE = `valkey-glide is neither in this bundle nor installed beside it; install ${PACKAGE} where the program runs, bundle with the condition "valkey-glide", or use iovalkey()`;

let loading: Promise<GlideModule> | undefined;

/** Loads GLIDE once, with the first dial. A failed load is tried again next time. @throws {GlideMissingError} */
export async function loadGlide(logLevel: LogLevel): Promise<GlideModule> {
  loading ??= load(logLevel);
  try {
    return await loading;
  } catch (cause) {
    loading = undefined;
    if (cause instanceof GlideMissingError) throw cause;
    // An error of Deno, which names the permission.
    if (cause instanceof Error && cause.name === "NotCapable") {
      throw new GlideMissingError(`valkey-glide lacks a permission (${cause.message}); allow it, or use iovalkey()`, {
        cause,
      });
    }
    throw new GlideMissingError("valkey-glide can't be loaded on this platform; use iovalkey()", { cause });
  }
}

/**
 * Looks beside the program first, out of the sight of bundlers, as most of them fail at native addons. That is also quicker:
 * Node 20 takes twice as long to `import` CommonJS as to `require` it.
 */
async function load(logLevel: LogLevel): Promise<GlideModule> {
  checkHome();
  const module = installed() ?? (await import("#glide"));
  if (!("GlideClient" in module)) throw new GlideMissingError(NOT_THERE);
  // Set for the process before the first client, as GLIDE logs to standard output by default.
  module.Logger.setLoggerConfig(logLevel);
  await openSocket(module);
  return module;
}

/** Without a home directory GLIDE ends the process. */
function checkHome(): void {
  if (process.env.HOME) return;
  try {
    process.getBuiltinModule("node:os").userInfo();
  } catch (cause) {
    throw new GlideMissingError("valkey-glide needs a home directory; set HOME, or use iovalkey()", { cause });
  }
}

/** Opens the socket over which the process talks to GLIDE's native side, which leaves it in the temporary folder. */
async function openSocket(module: GlideModule): Promise<void> {
  // It is no documented part of GLIDE, and the next release may have no socket.
  if (typeof module.StartSocketConnection !== "function") return;
  const path = await module.StartSocketConnection().catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GlideMissingError(
      `valkey-glide can't open a socket in /tmp (${reason}); make the folder writable, or use iovalkey()`,
      { cause },
    );
  });
  if (!isFirst(path)) return;
  // Not sooner, as GLIDE opens no second one for later clients.
  process.once("exit", () => {
    try {
      // Throws in worker threads, whose process may go on. To import `isMainThread` would cost a cold start 2.5 ms.
      process.chdir(process.cwd());
      process.getBuiltinModule("node:fs").rmSync(path, { force: true });
    } catch {
      // Deno may have no permission for it. The file is empty, and in the way of nothing.
    }
  });
}

/** @returns `undefined` if no place has it @throws if it is there and can't be loaded */
function installed(): GlideModule | undefined {
  const { createRequire } = process.getBuiltinModule("node:module");
  for (const place of places()) {
    const require = createRequire(place);
    const direct = ifFound(() => require.resolve(PACKAGE));
    if (direct !== undefined) return require(direct) as GlideModule;
    // Where packages see only their own dependencies, this package sees GLIDE and the program doesn't.
    const own = ifFound(() => require.resolve("valkey-edge-cache/package.json"));
    const indirect = own && ifFound(() => createRequire(own).resolve(PACKAGE));
    if (indirect !== undefined) return require(indirect) as GlideModule;
  }
  return undefined;
}

/** This module, and in bundles the program: there this module's URL is empty or the one that it had on another machine. */
function places(): string[] {
  const { isAbsolute } = process.getBuiltinModule("node:path");
  const all = [import.meta.url, typeof __filename === "string" ? __filename : "", process.argv[1]];
  return all.filter((place = "") => place.startsWith("file:") || isAbsolute(place)).map(String);
}

function ifFound(resolve: () => string): string | undefined {
  try {
    return resolve();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
