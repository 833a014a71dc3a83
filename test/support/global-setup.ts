import type { TestProject } from "vitest/node";
import { startOutside } from "../workerd/outside.js";
import { startCluster } from "./cluster.js";
import { build } from "./project.js";
import { startValkey } from "./servers.js";

declare module "vitest" {
  interface ProvidedContext {
    /** A standalone server that all test files share. Each file uses key prefixes of its own. */
    valkeyUrl: string;
    /** A cluster of three primaries that all test files share: the addresses of its nodes, separated by commas. */
    clusterUrl: string;
  }
}

/**
 * Builds dist/, which has the iovalkey that the sources import, and starts the servers that most test files share. Files
 * that disturb a server start their own.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await build();
  // Started here, as the global setup of the workerd project would be bundled for workerd.
  const runsInWorkerd = project.vitest.projects.some(({ name }) => name === "workerd");
  const outside = runsInWorkerd ? startOutside(project) : undefined;
  // None of the shared cluster's nodes fails, so a long time keeps a busy machine from looking as if one did.
  const patient = ["--cluster-node-timeout", "15000"];
  const [server, cluster, stopOutside] = await Promise.all([startValkey(), startCluster({ args: patient }), outside]);
  project.provide("valkeyUrl", server.url);
  project.provide("clusterUrl", cluster.url);
  return async () => {
    await Promise.all([server.stop(), cluster.stop(), stopOutside?.()]);
  };
}
