import { connect } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CacheOptions, createCache, glide, iovalkey, sentinel } from "../../src/index.js";
import { certificate } from "../support/certificates.js";
import { HOST, listenAnywhere } from "../support/ports.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";

const tls = { ca: certificate("ca.pem") };

/** Forwards TLS connections with one server name, and closes all others, like a router by SNI. */
async function startRouter(name: string, server: { readonly port: number }) {
  const sockets = new Set<TLSSocket>();
  const names: (string | false)[] = [];
  let isOpen = true;
  const router = createServer({ cert: certificate("server.pem"), key: certificate("server.key") }, (socket) => {
    // The type is string, but the value is false if the client sent no name.
    names.push((socket.servername as string | false) || false);
    socket.on("error", () => {});
    if (!isOpen || names.at(-1) !== name) return socket.destroy();
    sockets.add(socket);
    const there = connect(server.port, HOST).on("error", () => socket.destroy());
    return socket.pipe(there).pipe(socket);
  });
  router.on("tlsClientError", () => {});
  const port = await listenAnywhere(router);
  return {
    port,
    names,
    refuse() {
      isOpen = false;
      for (const socket of sockets) socket.destroy();
    },
    accept() {
      isOpen = true;
    },
    [Symbol.dispose]: () => void router.close(),
  };
}

describe.concurrent("a server that is selected by its TLS server name", () => {
  let server: ValkeyServer;
  beforeAll(async () => {
    server = await startValkey();
  });
  afterAll(() => server.stop());

  it.each<[string, (location: string) => CacheOptions]>([
    ["valkey-glide", (location) => ({ location, tls })],
    ["several addresses", (location) => ({ location: [location, location.replace(/:\d+/, ":1")], tls })],
    ["iovalkey", (location) => ({ location, connectionFactory: iovalkey({ tls }) })],
  ])("is found over %s, also after it was out of reach, and by several caches at once", async (_, options) => {
    using router = await startRouter("localhost", server);
    const location = `valkeys://localhost:${router.port}`;
    await using first = createCache(options(location));
    await using second = createCache({ ...options(location), keyPrefix: "second" });
    await using third = createCache(options(`${location}/1`));
    const caches = [first, second, third];
    expect(await Promise.all(caches.map((cache) => cache.set("a", 1)))).toEqual([true, true, true]);
    router.refuse();
    await until(async () => (await first.health()).state !== "closed", { what: "the loss to be noticed" });
    for (const cache of caches) await cache.get("a").catch(() => {});
    router.accept();
    for (const cache of caches) await until(() => cache.set("a", 2), { what: "the server to be found" });
    expect(new Set(router.names)).toEqual(new Set(["localhost"]));
  });

  it("is found over iovalkey by the servername option", async () => {
    using router = await startRouter("localhost", server);
    const connectionFactory = iovalkey({ tls: { ...tls, servername: "localhost" } });
    await using cache = createCache({ location: `valkeys://${HOST}:${router.port}`, connectionFactory });
    expect(await cache.set("a", 1)).toBe(true);
  });

  it("gets no server name if the location has an IP address", async () => {
    using router = await startRouter("localhost", server);
    for (const connectionFactory of [
      glide({ tls }),
      iovalkey({ tls }),
      sentinel({ sentinels: [{ host: HOST, port: router.port }], sentinelTls: tls }),
    ]) {
      await using cache = createCache({ location: `valkeys://${HOST}:${router.port}`, connectionFactory });
      await expect(cache.get("a")).rejects.toThrow();
    }
    expect(new Set(router.names)).toEqual(new Set([false]));
  });
});
