import { describe, expect, it } from "vitest";
import { answering } from "../../src/connection/answering.js";
import { createCache } from "../../src/index.js";
import { tlsArguments } from "../support/certificates.js";
import { freePort, HOST } from "../support/ports.js";
import { startProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";
import { end, QUICK, works } from "./in-time.js";

const MS = 2_000;
const at = (port: number) => ({ host: HOST, port });

describe("whether a server answers", () => {
  it("is so once it says anything, though it wants a password first", async () => {
    await using server = await startValkey({ args: ["--requirepass", "secret"] });
    await using proxy = await startProxy(server);
    await answering([at(proxy.port)], false, MS);
    await until(() => proxy.connections === 0, { what: "the connection to end" });
  });

  it("is so over TLS, whoever certifies it", async () => {
    const port = await freePort();
    await using _server = await startValkey({ args: tlsArguments(port) });
    await answering([at(port)], true, MS);
  });

  it("is so when one of several does", async () => {
    await using server = await startValkey();
    await answering([at(await freePort()), at(server.port)], false, MS);
  });

  it("is not so when none takes a connection, or one does and is silent", async () => {
    await using server = await startValkey();
    await using proxy = await startProxy({ port: server.port });
    proxy.pause();
    await expect(answering([at(await freePort())], false, MS)).rejects.toThrow("ECONNREFUSED");
    await expect(answering([at(proxy.port)], false, 50)).rejects.toThrow("no answer within 50 ms");
    await until(() => proxy.connections === 0, { what: "the connection to end" });
  });
});

it("a server that takes connections and never answers has few connections to it, however long it hangs and however often it is tried", async () => {
  await using server = await startValkey();
  await using proxy = await startProxy({ port: server.port });
  await using cache = createCache({ location: proxy.url, ...QUICK });
  await cache.set("a", 1);
  proxy.pause();
  await until(
    async () => {
      await end(cache.get("a"));
      return proxy.accepted >= 10;
    },
    { what: "ten connections", timeoutMs: 12_000 },
  );
  // The one that worked, what GLIDE opened to see that it doesn't any more, and the one that asks whether it answers again.
  expect(proxy.connections).toBeLessThanOrEqual(4);
  proxy.resume();
  await works(cache);
});
