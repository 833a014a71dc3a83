import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type CacheOptions, createCache, sentinel } from "../../../src/index.js";
import { Near } from "../../near/near.js";
import { certificate, certificateFile, tlsArguments } from "../../support/certificates.js";
import { command } from "../../support/command.js";
import { launch } from "../../support/launch.js";
import { freePort } from "../../support/ports.js";
import { startValkey } from "../../support/servers.js";
import { until } from "../../support/wait.js";

it("TLS to sentinels and TLS to servers are configured separately", async () => {
  await using stack = new AsyncDisposableStack();
  const [tlsPort, port] = [await freePort(), await freePort()];
  stack.use(await startValkey({ args: tlsArguments(tlsPort) }));
  await startTlsSentinel(stack, port, tlsPort);
  const tls = { ca: certificate("ca.pem") };
  const open = (options: object) =>
    createCache({
      location: "valkeys://primary/0",
      connectionFactory: sentinel({ sentinels: [{ host: "localhost", port }], ...options }),
    } satisfies CacheOptions);
  await using cache = open({ tls, sentinelTls: tls });
  // The sentinel must start first.
  await until(() => cache.set("a", 1), { what: "the cache to work" });
  expect(await cache.get("a")).toBe(1);
  await using trusting = open({ tls: { insecure: true }, sentinelTls: { insecure: true }, connectTimeout: "10s" });
  expect(await trusting.get("a")).toBe(1);
  for (const options of [{ tls }, { sentinelTls: tls }, { tls, sentinelTls: true }]) {
    await using wrong = open(options);
    await expect(wrong.get("a")).rejects.toThrow(/primary/);
  }
});

it("a near cache listens over TLS to the server that a sentinel names", async () => {
  await using stack = new AsyncDisposableStack();
  const [tlsPort, port] = [await freePort(), await freePort()];
  const server = stack.use(await startValkey({ args: tlsArguments(tlsPort) }));
  await startTlsSentinel(stack, port, tlsPort);
  const tls = { ca: certificate("ca.pem") };
  const connectionFactory = sentinel({ sentinels: [{ host: "localhost", port }], tls, sentinelTls: tls });
  await using near = new Near({ location: "valkeys://primary/0", keyPrefix: "app", connectionFactory } as CacheOptions);
  await near.keep("key", 1);
  await command(server.port, ["SET", "app:1:key", "2"]);
  await near.sees("key", 2);
  expect(await near.health()).toMatchObject({ invalidation: "tracking", listening: true });
});

async function startTlsSentinel(stack: AsyncDisposableStack, port: number, primaryPort: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sentinel-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "sentinel.conf");
  const lines = [
    "port 0",
    `tls-port ${port}`,
    "tls-auth-clients no",
    "tls-replication yes",
    `tls-cert-file ${certificateFile("server.pem")}`,
    `tls-key-file ${certificateFile("server.key")}`,
    `tls-ca-cert-file ${certificateFile("ca.pem")}`,
    `dir ${folder}`,
    `sentinel monitor primary 127.0.0.1 ${primaryPort} 1`,
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  const running = await launch("valkey-sentinel", [file], folder);
  stack.defer(() => running.stop());
}
