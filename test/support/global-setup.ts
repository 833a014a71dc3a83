import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { buildVendor } from "../../scripts/vendor.mjs";
import { startCluster } from "./cluster.js";
import { root } from "./project.js";
import { startValkey } from "./servers.js";

declare module "vitest" {
  interface ProvidedContext {
    /** A standalone server that all test files share, each under key prefixes of its own. */
    valkeyUrl: string;
    /** A cluster of three primaries, shared likewise: its nodes' addresses, separated by commas. */
    clusterUrl: string;
    /** A server for the one test file inside workerd that flushes: it can start none itself. */
    flushableUrl: string;
  }
}

/** Starts what most test files share; those that do harm start servers of their own. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  const vendor = buildVendor(join(root, ".cache/workerd"), root);
  const [server, cluster, flushable] = await Promise.all([startValkey(), startCluster(), startValkey(), vendor]);
  project.provide("valkeyUrl", server.url);
  project.provide("clusterUrl", cluster.url);
  project.provide("flushableUrl", flushable.url);
  return async () => {
    await Promise.all([server.stop(), cluster.stop(), flushable.stop()]);
  };
}
