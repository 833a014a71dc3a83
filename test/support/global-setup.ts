import type { TestProject } from "vitest/node";
import { startOutside } from "../workerd/outside.js";
import { startCluster } from "./cluster.js";
import { startValkey } from "./servers.js";

declare module "vitest" {
  interface ProvidedContext {
    /** A standalone server that all test files share, each under key prefixes of its own. */
    valkeyUrl: string;
    /** A cluster of three primaries, shared likewise: its nodes' addresses, separated by commas. */
    clusterUrl: string;
  }
}

/** Starts what most test files share; those that do harm start servers of their own. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Here, as the setup of that project itself would be bundled for workerd.
  const runsInWorkerd = project.vitest.projects.some(({ name }) => name === "workerd");
  const outside = runsInWorkerd ? startOutside(project) : undefined;
  const [server, cluster, stopOutside] = await Promise.all([startValkey(), startCluster(), outside]);
  project.provide("valkeyUrl", server.url);
  project.provide("clusterUrl", cluster.url);
  return async () => {
    await Promise.all([server.stop(), cluster.stop(), stopOutside?.()]);
  };
}
