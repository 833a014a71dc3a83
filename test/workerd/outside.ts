import type { TestProject } from "vitest/node";
import { startRestServer } from "../support/rest-server.js";
import { startSentinels } from "../support/sentinels.js";
import { startValkey } from "../support/servers.js";

/** Which test files inside workerd have a server for themselves, which they flush, or let refuse. */
const OWN = ["connection", "herd", "breaker", "object", "rest"] as const;

type Own = (typeof OWN)[number];

declare module "vitest" {
  interface ProvidedContext {
    /** Of those test files inside workerd that need a server of their own: they can start none. */
    ownUrls: Readonly<Record<Own, string>>;
    /** An endpoint of the REST protocol, before the server `rest` of those. */
    rest: { readonly url: string; readonly token: string };
    /** Sentinels over a primary and a replica, for the one test file inside workerd that makes them fail over. */
    sentinels: { readonly service: string; readonly addresses: readonly { host: string; port: number }[] };
  }
}

/** Starts what the tests inside workerd need of the world outside. */
export async function startOutside(project: TestProject): Promise<() => Promise<void>> {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  const [sentinels, servers] = await Promise.all([
    startSentinels({ replicas: 1 }),
    Promise.all(OWN.map(() => startValkey({ args: ["--enable-protected-configs", "yes"] }))),
  ]);
  const last = servers.at(-1);
  if (!last) throw new Error("no servers were started");
  const endpoint = await startRestServer(last);
  project.provide("rest", { url: endpoint.url, token: endpoint.token });
  const urls = OWN.map((name, i) => [name, servers[i]?.url]);
  project.provide("ownUrls", Object.fromEntries(urls) as Record<Own, string>);
  const addresses = sentinels.sentinels.map(({ host, port }) => ({ host, port }));
  project.provide("sentinels", { service: sentinels.service, addresses });
  return async () => {
    await endpoint.stop();
    await Promise.all([sentinels, ...servers].map((one) => one.stop()));
  };
}
