import { networkInterfaces } from "node:os";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WORKER } from "../fixtures/worker.js";
import { MAX_CORE_BYTES } from "../support/bundle.js";
import { tlsArguments } from "../support/certificates.js";
import { command } from "../support/command.js";
import { type Consumer, consumerOfPacked } from "../support/packed.js";
import { freePort, HOST } from "../support/ports.js";
import { startProxy } from "../support/proxy.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";
import { bundleWorker, runWorker } from "../support/worker.js";

/** The budget of the library, and what wrangler adds of its own. */
const MAX_BYTES = MAX_CORE_BYTES + 4_350;

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);

describe("a Worker with the packed package, bundled by wrangler", () => {
  let consumer: Consumer | undefined;
  let script: string;
  let server: ValkeyServer;

  beforeAll(async () => {
    [consumer, server] = await Promise.all([consumerOfPacked(), startValkey()]);
    script = await bundleWorker(consumer, WORKER);
  }, 120_000);
  afterAll(async () => {
    consumer?.[Symbol.dispose]();
    await server?.stop();
  });

  /** Connections at the server, but for the one that asks. */
  const clients = async () =>
    String(await command(server.port, ["CLIENT", "LIST"]))
      .trim()
      .split("\n").length - 1;
  const noClients = () => until(async () => (await clients()) === 0, { what: "the Worker's connections to end" });

  it("is small, and contains neither GLIDE nor the memory transport", () => {
    const bytes = gzipSync(script, { level: 9 }).length - gzipSync(WORKER, { level: 9 }).length;
    expect(bytes, `without the Worker's own code: ${bytes} bytes`).toBeLessThanOrEqual(MAX_BYTES);
    expect(script).not.toMatch(/valkey-glide|GlideClient|maxEntries|maxStaleness/);
    // What is looked for would be found in this form.
    expect(script).toContain("maxDecompressedSize");
  });

  it("answers 200 concurrent requests, each over its own connection, and leaves none open", async () => {
    await using worker = await runWorker(script, { VALKEY_URL: server.url });
    const keys = Array.from({ length: 200 }, (_, index) => `key-${index}`);
    for (const _ of ["misses", "hits"]) {
      const answers = await Promise.all(keys.map((key) => worker.fetch(`/load/${key}`)));
      expect(answers).toEqual(keys.map((key) => ({ status: 200, text: `loaded ${key}` })));
    }
    await noClients();
  });

  it("opens no connection for a request that doesn't use the cache", async () => {
    await using proxy = await startProxy(server);
    await using worker = await runWorker(script, { VALKEY_URL: proxy.url });
    expect(await worker.fetch("/none/x")).toEqual({ status: 200, text: "none" });
    expect(proxy.accepted).toBe(0);
    await worker.fetch("/get/x");
    expect(proxy.accepted).toBe(1);
  });

  it("reads in one round trip after the TCP handshake", async () => {
    await using proxy = await startProxy(server);
    await using worker = await runWorker(script, { VALKEY_URL: proxy.url });
    proxy.delay(100);
    await worker.fetch("/get/missing");
    expect(proxy.roundTrips).toBe(1);
  });

  it("reads in two round trips over TLS, one of them the handshake", async () => {
    const port = await freePort();
    await using secure = await startValkey({ args: tlsArguments(port) });
    await using proxy = await startProxy({ host: secure.host, port });
    await using worker = await runWorker(script, { VALKEY_URL: `valkeys://localhost:${proxy.port}` });
    proxy.delay(100);
    expect(await worker.fetch("/get/missing")).toEqual({ status: 200, text: "undefined" });
    // The client's greeting; then what ends the handshake, and the command right behind it.
    expect(proxy.roundTrips).toBe(2);
  });

  it("loads once for concurrent callers of one request", async () => {
    await using worker = await runWorker(script, { VALKEY_URL: server.url });
    expect(await worker.fetch("/twice/same")).toEqual({ status: 200, text: "loaded same 1,loaded same 1" });
    await noClients();
  });

  it("finishes a write without a waiter before its connection closes", async () => {
    await using worker = await runWorker(script, { VALKEY_URL: server.url });
    expect(await worker.fetch("/background/written")).toEqual({ status: 200, text: "answered" });
    await until(async () => (await worker.fetch("/get/written")).text === "late", { what: "the write to arrive" });
    await noClients();
  });

  it.each([
    ["cloudflare:sockets", "sockets"],
    ["a service binding", "binding"],
  ])("dials through %s as configured", async (_, by) => {
    await using worker = await runWorker(script, { VALKEY_URL: server.url });
    const keys = Array.from({ length: 20 }, (_, index) => `${by}-${index}`);
    const answers = await Promise.all(keys.map((key) => worker.fetch(`/load/${key}?by=${by}`)));
    expect(answers).toEqual(keys.map((key) => ({ status: 200, text: `loaded ${key}` })));
    await noClients();
  });

  describe.skipIf(!hasIpv6)("over IPv6", () => {
    it.each([
      ["node:net", "net", "valkey"],
      ["cloudflare:sockets", "sockets", "valkey"],
      ["a service binding", "binding", "valkey"],
      ["node:tls", "net", "valkeys"],
      ["cloudflare:sockets with secureTransport", "sockets", "valkeys"],
    ])("connects through %s", async (_, by, scheme) => {
      const tlsPort = await freePort();
      await using both = await startValkey({ args: ["--bind", HOST, "::1", ...tlsArguments(tlsPort)] });
      const port = scheme === "valkey" ? both.port : tlsPort;
      await using worker = await runWorker(script, { VALKEY_URL: `${scheme}://[::1]:${port}` });
      await worker.fetch(`/load/x?by=${by}`);
      const keys = await command(both.port, ["KEYS", "*"]);
      expect(keys).toHaveLength(1);
    });
  });

  it("reports the remedy when the cache is used outside a request's view", async () => {
    await using worker = await runWorker(script, { VALKEY_URL: server.url });
    const { status, text } = await worker.fetch("/load/x?outside");
    expect(status).toBe(500);
    expect(text).toMatch(/^ConfigurationError: .*inside the handler use cache\.for\(\{ waitUntil: .*ctx\.waitUntil/);
  });

  describe.each(["net", "sockets"])("by %s, with a server in trouble", (by) => {
    const bindings = { COMMAND_TIMEOUT: "150ms", CONNECT_TIMEOUT: "150ms" };
    // Loading the Worker itself takes its time, and is not what is measured.
    const timed = async (url: string, path: string) => {
      await using worker = await runWorker(script, { ...bindings, VALKEY_URL: url });
      await worker.fetch("/none/x");
      const took = stopwatch();
      const answer = await worker.fetch(`${path}?by=${by}`);
      return { ...answer, ms: took() };
    };
    const fromLoader = { status: 200, text: "loaded x" };

    it("answers from the loader when the port refuses connections", async () => {
      const { ms, ...answer } = await timed(`valkey://127.0.0.1:${await freePort()}`, "/load/x");
      expect(answer).toEqual(fromLoader);
      expect(ms).toBeLessThan(1_000);
    });

    it("answers from the loader when the server accepts the connection and is silent", async () => {
      await using proxy = await startProxy(server);
      proxy.pause();
      const { ms, ...answer } = await timed(proxy.url, "/load/x");
      expect(answer).toEqual(fromLoader);
      expect(ms).toBeLessThan(1_000);
      await until(() => proxy.connections === 0, { what: "the Worker's connection to end" });
    });

    it("answers from the loader when the server is slower than the deadline", async () => {
      await using proxy = await startProxy(server);
      proxy.delay(400);
      const { ms, ...answer } = await timed(proxy.url, "/load/x");
      expect(answer).toEqual(fromLoader);
      expect(ms).toBeLessThan(1_500);
    });
  });
});
