import { createCache, herd } from "valkey-edge-cache";
import { workerHandler } from "valkey-edge-cache/hosts";
import { throughObject, type ValkeyObjects } from "./valkey-object.ts";

export { ValkeyObject } from "./valkey-object.ts";

interface Env {
  readonly VALKEY_URL: string;
  readonly VALKEY: ValkeyObjects;
}

// biome-ignore lint/style/noDefaultExport: that is what a Worker is
export default {
  fetch: workerHandler(
    ({ VALKEY_URL, VALKEY }: Env) =>
      createCache({ location: VALKEY_URL, client: herd(), connectionFactory: throughObject(VALKEY) }),
    async (request, _env, _context, cache) => {
      const load = async () => ({ path: new URL(request.url).pathname, loadedAt: new Date().toISOString() });
      return Response.json(await cache.getOrSet(request.url, load, { ttl: "1m" }));
    },
  ),
};
