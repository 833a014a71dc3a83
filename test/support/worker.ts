import { readFileSync } from "node:fs";
import { join } from "node:path";
import { certificateFile } from "./certificates.js";
import type { Consumer } from "./packed.js";
import { bin, output } from "./project.js";

/** From this date on Workers have Node's modules by default. */
const COMPATIBILITY_DATE = "2026-08-04";

/** Bundles a Worker with `wrangler deploy --minify`. */
export async function bundleWorker(consumer: Consumer, source: string): Promise<string> {
  consumer.write("worker.js", source);
  const settings = ['name = "tested"', 'main = "worker.js"', `compatibility_date = "${COMPATIBILITY_DATE}"`];
  consumer.write("wrangler.toml", settings.join("\n"));
  process.env.WRANGLER_SEND_METRICS = "false";
  await output(join(bin, "wrangler"), ["deploy", "--dry-run", "--minify", "--outdir", "out"], consumer.folder);
  return readFileSync(join(consumer.folder, "out", "worker.js"), "utf8");
}

export interface RunningWorker extends AsyncDisposable {
  fetch(
    path: string,
    init?: { method?: string; headers?: Record<string, string> },
  ): Promise<{ status: number; text: string }>;
  /** The value of a response field. */
  header(path: string, name: string): Promise<string | null>;
}

/** A file that the Worker's script imports. */
export interface WorkerFile {
  readonly type: "Data" | "Text";
  readonly path: string;
  readonly contents: Uint8Array<ArrayBuffer>;
}

/** A Worker that others are bound to, as the only way into a private network. It has the server's address. */
const TUNNEL = `
  import { connect } from "cloudflare:sockets";

  export default {
    async connect(socket, env) {
      const { host } = new URL(env.VALKEY_URL);
      const server = connect(host);
      await Promise.all([socket.readable.pipeTo(server.writable), server.readable.pipeTo(socket.writable)]);
    },
  };
`;

/**
 * Runs a bundled Worker in workerd. A second Worker is bound to it as `TUNNEL`; its `connect` leads to the server.
 * @param durableObjects classes of Durable Objects, by the name of their binding
 */
export async function runWorker(
  script: string,
  bindings: Record<string, string>,
  { files = [], durableObjects = {} }: { files?: readonly WorkerFile[]; durableObjects?: Record<string, string> } = {},
): Promise<RunningWorker> {
  // Miniflare reads these when it is loaded. workerd then trusts the authority of the tests' servers.
  Object.assign(process.env, { CLOUDFLARE_CF_FETCH_ENABLED: "false", NODE_EXTRA_CA_CERTS: certificateFile("ca.pem") });
  const { convertV4MiniflareOptions, Miniflare } = await import("miniflare");
  const module = (path: string, contents: string) => ({ type: "ESModule" as const, path, contents });
  const common = { compatibilityDate: COMPATIBILITY_DATE, bindings };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          ...common,
          name: "tested",
          modules: [module("worker.js", script), ...files],
          serviceBindings: { TUNNEL: "tunnel" },
          durableObjects,
        },
        { ...common, name: "tunnel", modules: [module("tunnel.js", TUNNEL)] },
      ],
    }),
  );
  await miniflare.ready;
  return {
    async fetch(path, init = {}) {
      const response = await miniflare.dispatchFetch(`http://worker.test${path}`, init);
      return { status: response.status, text: await response.text() };
    },
    async header(path, name) {
      const response = await miniflare.dispatchFetch(`http://worker.test${path}`);
      await response.arrayBuffer();
      return response.headers.get(name);
    },
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}
