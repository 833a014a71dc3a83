import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { pack, unpack } from "../support/packed.js";
import { manifest } from "../support/project.js";
import { startValkey } from "../support/servers.js";
import { apps, tools } from "./app.js";

declare module "vitest" {
  interface ProvidedContext {
    /** The packed package. */
    tarball: string;
  }
}

/** Installs the packed package among the tools, and starts a server. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  Object.assign(process.env, { NEXT_TELEMETRY_DISABLED: "1", WRANGLER_SEND_METRICS: "false" });
  rmSync(apps, { recursive: true, force: true });
  mkdirSync(apps, { recursive: true });
  // Bundlers would take the project's own file, which maps the package to its sources.
  writeFileSync(join(apps, "tsconfig.json"), "{}");
  const tarball = await pack(apps);
  await unpack(tarball, join(tools, "node_modules", manifest.name));
  const server = await startValkey();
  project.provide("valkeyUrl", server.url);
  project.provide("tarball", tarball);
  return async () => {
    rmSync(apps, { recursive: true, force: true });
    await server.stop();
  };
}
