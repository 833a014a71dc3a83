import { startCluster } from "./cluster.js";
import { startValkey } from "./servers.js";
/** Starts what most test files share; those that do harm start servers of their own. */
export async function setup(project) {
    const [server, cluster] = await Promise.all([startValkey(), startCluster()]);
    project.provide("valkeyUrl", server.url);
    project.provide("clusterUrl", cluster.url);
    return async () => {
        await Promise.all([server.stop(), cluster.stop()]);
    };
}
