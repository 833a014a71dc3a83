import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { type ProbeResult, type ProbeSettings, probe } from "../../src/connection/probe.js";
import { createCache } from "../../src/index.js";
import { certificate, tlsArguments } from "../support/certificates.js";
import { command } from "../support/command.js";
import { freePort, HOST, listenAnywhere } from "../support/ports.js";
import { startProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";
import { end, QUICK, works } from "./in-time.js";

const SETTINGS = {
  username: undefined,
  password: undefined,
  database: 0,
  tls: undefined,
  addressMap: undefined,
  timeoutMs: 2_000,
};
const ask = (port: number, settings: Partial<ProbeSettings> = {}, host = HOST): Promise<ProbeResult> =>
  probe({ host, port }, { ...SETTINGS, asks: "life", ...settings });

describe("a probe", () => {
  it("closes its connection once the server has answered", async () => {
    await using server = await startValkey();
    await using proxy = await startProxy(server);
    expect(await ask(proxy.port)).toEqual({ role: undefined, doubt: undefined });
    await until(() => proxy.connections === 0, { what: "the connection to end" });
  });

  it("logs in and selects the database in one round trip", async () => {
    await using server = await startValkey({ args: ["--requirepass", "sécret\r\n"] });
    await using proxy = await startProxy(server);
    await ask(proxy.port, { password: "sécret\r\n", database: 3 });
    expect(proxy.roundTrips).toBe(1);
  });

  it("names a wrong or missing password, and an unknown database", async () => {
    await using server = await startValkey({ args: ["--requirepass", "right"] });
    await expect(ask(server.port)).rejects.toThrow(/NOAUTH/);
    await expect(ask(server.port, { password: "wrong" })).rejects.toThrow(/authentication failed: WRONGPASS/);
    await expect(ask(server.port, { username: "who", password: "right" })).rejects.toThrow(/authentication failed/);
    await expect(ask(server.port, { password: "right", database: 99 })).rejects.toThrow(
      /database 99 can't be selected/,
    );
  });

  it("reports the server's role if the user may ask for it", async () => {
    await using primary = await startValkey();
    await using replica = await startValkey({ args: ["--replicaof", `${HOST} ${primary.port}`] });
    expect(await ask(primary.port, { asks: "role" })).toMatchObject({ role: "primary" });
    expect(await ask(replica.port, { asks: "role" })).toMatchObject({ role: "replica" });
    await command(primary.port, ["ACL", "SETUSER", "app", "on", ">pass", "+@all", "-@dangerous", "~*"]);
    const user = { username: "app", password: "pass" };
    expect(await ask(primary.port, { ...user, asks: "role" })).toMatchObject({ role: undefined });
  });

  it("accepts errors that show a working login, such as NOPERM or LOADING", async () => {
    for (const reply of ["-NOPERM no", "-LOADING wait", "-MASTERDOWN wait", "-ERR unknown command 'PING'"]) {
      expect(await ask(await answerWith(`${reply}\r\n`))).toEqual({ role: undefined, doubt: undefined });
    }
  });

  it("names a server without room for clients, and one that is not a Valkey server", async () => {
    const full = await answerWith("-ERR max number of clients reached\r\n");
    for (const settings of [{}, { password: "secret" }]) {
      await expect(ask(full, settings)).rejects.toThrow(/^ERR max number of clients reached$/);
    }
    await expect(ask(await answerWith("x".repeat(100_000)))).rejects.toThrow("it is not a Valkey server");
  });

  it("names a port that refuses connections, and a server that resets, closes or is silent", async () => {
    await expect(ask(await freePort())).rejects.toThrow(/connection refused \(.*ECONNREFUSED/);
    const closing = createServer((socket) => socket.on("error", () => {}).end());
    onTestFinished(() => void closing.close());
    await expect(ask(await listenAnywhere(closing))).rejects.toThrow(/closed without an answer|ECONNRESET/);
    await using server = await startValkey();
    await using proxy = await startProxy({ port: server.port });
    proxy.pause();
    await expect(ask(proxy.port, { timeoutMs: 50 })).rejects.toThrow("no answer within 50 ms");
    await until(() => proxy.connections === 0, { what: "the connection to end" });
  });

  it("sends no password to a server whose certificate it doesn't trust, and reports the doubt", async () => {
    const port = await freePort();
    await using _server = await startValkey({ args: [...tlsArguments(port), "--requirepass", "right"] });
    const right = { insecure: false, ca: certificate("ca.pem") };
    const login = { password: "wrong" };
    expect(await ask(port, { ...login, tls: { ...right, ca: undefined } })).toEqual({
      role: undefined,
      doubt: expect.stringMatching(/certificate is not trusted/),
    });
    const plain = await answerWith("-ERR no TLS here\r\n");
    expect(await ask(plain, { ...login, tls: right })).toMatchObject({ doubt: expect.stringMatching(/TLS handshake/) });
    await expect(ask(port, { ...login, tls: right })).rejects.toThrow(/authentication failed/);
    await expect(ask(port, { ...login, tls: { insecure: true, ca: undefined } })).rejects.toThrow(/authentication/);
  });
});

it("a server that accepts connections and never answers gets few connections, however long it hangs", async () => {
  await using server = await startValkey();
  await using proxy = await startProxy({ port: server.port });
  await using cache = createCache({ location: proxy.url, ...QUICK });
  await cache.set("a", 1);
  proxy.pause();
  await until(
    async () => {
      await end(cache.get("a"));
      return proxy.accepted >= 7;
    },
    { what: "seven connections", timeoutMs: 12_000 },
  );
  // The first connection, GLIDE's attempts to reconnect, and the probe.
  expect(proxy.connections).toBeLessThanOrEqual(4);
  proxy.resume();
  await works(cache);
});

/** Starts a server that sends the same text to every client. @returns its port */
async function answerWith(text: string): Promise<number> {
  const server = createServer((socket) => socket.on("error", () => {}).end(text));
  onTestFinished(() => void server.close());
  return listenAnywhere(server);
}
