import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import { type CacheOptions, elasticacheIam, glide, iovalkey } from "../../src/index.js";
import { certificate, tlsArguments } from "../support/certificates.js";
import { command } from "../support/command.js";
import { freePort } from "../support/ports.js";
import { startRestServer } from "../support/rest-server.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { Near } from "./near.js";

const SOCKET = `/tmp/near-${process.pid}.sock`;
let server: ValkeyServer;
let tlsPort: number;
beforeAll(async () => {
  tlsPort = await freePort();
  server = await startValkey({ args: ["--unixsocket", SOCKET, ...tlsArguments(tlsPort)] });
  await command(server.port, ["ACL", "SETUSER", "app", "on", ">first", "allkeys", "allchannels", "+@all"]);
});
afterAll(() => server.stop());

let names = 0;
/** A name for the server that no other test uses, as a process listens once to each. */
function named(port: number): { name: string; addressMap: Record<string, string> } {
  const name = `access-${++names}.test:${port}`;
  return { name, addressMap: { [name]: `127.0.0.1:${port}` } };
}

/** That it hears of another client's writes. */
async function hears(options: Partial<CacheOptions>): Promise<void> {
  await using near = new Near({ keyPrefix: "app", ...options } as CacheOptions, { maxStaleness: "1h" });
  await near.keep("key", 1);
  await command(server.port, ["SET", "app:1:key", "2"]);
  await near.sees("key", 2);
  expect(await near.health()).toMatchObject({ invalidation: "tracking", listening: true });
  expect(near.errors).toEqual([]);
}

describe("a near cache hears of changes", () => {
  it.each([
    ["glide()", glide],
    ["iovalkey()", iovalkey],
  ])("over TLS, with the authority that %s is given", async (_name, factory) => {
    const { name, addressMap } = named(tlsPort);
    const connectionFactory = factory({ tls: { ca: certificate("ca.pem") }, addressMap });
    await hears({ location: `valkeys://${name}`, connectionFactory });
  });

  it("of a server that asks for a client certificate", async () => {
    const port = await freePort();
    await using strict = await startValkey({ args: tlsArguments(port, "yes") });
    const tls = { ca: certificate("ca.pem"), cert: certificate("client.pem"), key: certificate("client.key") };
    const options = { location: `valkeys://127.0.0.1:${port}`, connectionFactory: iovalkey({ tls }), keyPrefix: "app" };
    await using near = new Near(options as CacheOptions, { maxStaleness: "1h" });
    await near.keep("key", 1);
    await command(strict.port, ["SET", "app:1:key", "2"]);
    await near.sees("key", 2);
  });

  it("over a Unix socket", () => hears({ location: `unix://${SOCKET}`, connectionFactory: iovalkey() }));

  it("as the user of a location", async () => {
    const { name, addressMap } = named(server.port);
    await hears({ location: `valkey://app:first@${name}/0`, connectionFactory: iovalkey({ addressMap }) });
  });

  it("with credentials that a function gives, asked anew for each connection", async () => {
    const { name, addressMap } = named(server.port);
    let password = "first";
    const credentials = () => ({ username: "app", password });
    const connectionFactory = iovalkey({ credentials, addressMap });
    const options = { location: `valkey://${name}`, connectionFactory, keyPrefix: "app" };
    await using near = new Near(options as CacheOptions, { maxStaleness: "1h" });
    await near.keep("key", 1);
    await command(server.port, ["ACL", "SETUSER", "app", "resetpass", ">second"]);
    password = "second";
    await command(server.port, ["CLIENT", "KILL", "USER", "app"]);
    await near.keep("key", 2);
    await command(server.port, ["SET", "app:1:key", "3"]);
    await near.sees("key", 3);
    await command(server.port, ["ACL", "SETUSER", "app", ">first"]);
  });
});

describe("a near cache keeps nothing", () => {
  it("while its listener has no valid credentials, and says why", async () => {
    const { name, addressMap } = named(server.port);
    let asked = 0;
    // The first login is that of the connection for commands.
    const credentials = () => ({ username: "app", password: asked++ === 0 ? "first" : "wrong" });
    const connectionFactory = iovalkey({ credentials, addressMap });
    const options = { location: `valkey://${name}`, connectionFactory, keyPrefix: "app" };
    await using near = new Near(options as CacheOptions, { maxStaleness: "1h" });
    await near.cache.set("key", 1);
    await expect.poll(() => near.errors.length, { timeout: 10_000 }).toBe(1);
    expect(near.errors[0]?.message).toMatch(/can't hear of changes.*WRONGPASS/);
    expect(await near.read("key")).toEqual({ value: 1, isKnown: false });
    expect((await near.health()).lastError?.message).toMatch(/WRONGPASS/);
  });
});

describe("a near cache over rest()", () => {
  it("keeps entries for maxStaleness, as HTTP has no connection that listens", async () => {
    await using endpoint = await startRestServer(server);
    const connectionFactory = rest({ token: endpoint.token });
    const options = { location: endpoint.url, connectionFactory, keyPrefix: "rest" };
    await using near = new Near(options as CacheOptions, { maxStaleness: "300ms" });
    await near.keep("key", 1);
    expect(await near.health()).toMatchObject({ invalidation: "ttl", listening: false });
    await command(server.port, ["SET", "rest:1:key", "2"]);
    await near.sees("key", 2, 1_000);
    expect(near.errors).toEqual([]);
    const demand = () => new Near(options as CacheOptions, { invalidation: "tracking" });
    expect(demand).toThrow(/this connection factory opens no connections that listen.*"ttl"/);
  });
});

describe("a near cache whose logins are signed by valkey-glide", () => {
  const credentials = elasticacheIam({ clusterName: "cache", region: "eu-central-1", user: "app" });
  const options = { location: "valkeys://cache.test:6379", connectionFactory: glide({ credentials }) };

  it("keeps entries for maxStaleness, as nothing can listen, and says so once", async () => {
    await using near = new Near(options as CacheOptions);
    expect(await near.health()).toMatchObject({ invalidation: "ttl", listening: false });
    expect(near.errors.map(({ message }) => message)).toEqual([expect.stringMatching(/option "sign".*maxStaleness/)]);
  });

  it.each(["tracking", "channel"] as const)("refuses to be made where invalidation %s is demanded", (invalidation) => {
    expect(() => new Near(options as CacheOptions, { invalidation })).toThrow(/option "invalidation".*"sign".*"ttl"/);
  });
});
