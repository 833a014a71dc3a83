import { createServer, connect as dialTcp } from "node:net";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Connector } from "../../../src/connection/iovalkey/connector.js";
import type { IovalkeyOptions } from "../../../src/connection/iovalkey/factory.js";
import { iovalkey } from "../../../src/connection/iovalkey/node.js";
import type { Connection } from "../../../src/core/connection.js";
import { PROCESS } from "../../../src/core/connection.js";
import { ConfigurationError, ConnectionError, TimeoutError } from "../../../src/core/errors.js";
import { parseLocation } from "../../../src/core/location.js";
import { certificate, tlsArguments } from "../../support/certificates.js";
import { command } from "../../support/command.js";
import { deferred } from "../../support/deferred.js";
import { freePort, listenAnywhere } from "../../support/ports.js";
import { startProxy } from "../../support/proxy.js";
import { startValkey, type ValkeyServer } from "../../support/servers.js";
import { until } from "../../support/wait.js";

function open(location: string, options: IovalkeyOptions = {}): Connection {
  const connection = iovalkey(options).connect(parseLocation(location), PROCESS);
  onTestFinished(() => connection.close());
  return connection;
}

const refusalOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("dialling with iovalkey", () => {
  let server: ValkeyServer;
  let tlsPort: number;
  const socket = () => join("/tmp", `valkey-edge-cache-${process.pid}.sock`);
  beforeAll(async () => {
    tlsPort = await freePort();
    server = await startValkey({ args: ["--unixsocket", socket(), ...tlsArguments(tlsPort)] });
  });
  afterAll(() => server.stop());

  it("starts with the first command, and the first commands share one dial", async () => {
    await using proxy = await startProxy(server);
    const connection = open(proxy.url);
    expect(proxy.accepted).toBe(0);
    await Promise.all([connection.send([["PING"]]), connection.send([["PING"]]), connection.send([["PING"]])]);
    expect(proxy.accepted).toBe(1);
  });

  it("opens one connection for equal configurations, and others for different ones", async () => {
    await using proxy = await startProxy(server);
    const same = [open(proxy.url), open(proxy.url), open(proxy.url, { connectTimeout: "2s" })];
    await Promise.all(same.map((connection) => connection.send([["PING"]])));
    expect(proxy.accepted).toBe(2);
  });

  it("takes one round trip for the first command, even with a password", async () => {
    await using proxy = await startProxy(server);
    await command(server.port, ["ACL", "SETUSER", "guest", "on", ">secret", "~*", "+@all"]);
    const connection = open(`valkey://guest:secret@${proxy.host}:${proxy.port}`);
    expect(await connection.send([["ACL", "WHOAMI"]])).toEqual([Buffer.from("guest")]);
    expect(proxy.roundTrips).toBe(1);
  });

  it("names a wrong password, and ignores the replies to commands without a login", async () => {
    const connection = open(`valkey://guest:wrong@${server.host}:${server.port}`);
    for (const atomic of [false, true]) {
      const error = await refusalOf(connection.send([["PING"]], { atomic }));
      expect(error).toBeInstanceOf(ConnectionError);
      expect(String(error)).toMatch(/refused the connection: WRONGPASS .*; check the username, the password/);
      expect(String(error)).not.toContain("wrong@");
    }
  });

  it("never runs a command in another database than the location's", async () => {
    const chosen = open(`${server.url}/3`);
    await chosen.send([["SET", "database", "3"]]);
    expect(await open(server.url).send([["EXISTS", "database"]])).toEqual([0]);
    const missing = open(`${server.url}/99`);
    const error = await refusalOf(missing.send([["SET", "stray", "1"]]));
    expect(String(error)).toMatch(/ConnectionError: .*DB index is out of range.*check the username, .* the database/);
    expect(await open(server.url).send([["EXISTS", "stray"]])).toEqual([0]);
  });

  it("reaches a Unix socket", async () => {
    const connection = open(`unix://${socket()}?db=2`);
    expect(await connection.send([["PING"]])).toEqual(["PONG"]);
  });

  it("uses TLS and checks the server", async () => {
    const location = `valkeys://localhost:${tlsPort}`;
    expect(await open(location, { tls: { ca: certificate("ca.pem") } }).send([["PING"]])).toEqual(["PONG"]);
    expect(await open(location, { tls: { insecure: true } }).send([["PING"]])).toEqual(["PONG"]);
    const error = await refusalOf(open(location).send([["PING"]]));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(String(error)).toMatch(/could not be reached: .*certificate/);
  });

  it("sends a client certificate to servers that ask for one", async () => {
    const port = await freePort();
    await using strict = await startValkey({ args: tlsArguments(port, "yes") });
    const tls = { ca: certificate("ca.pem") };
    const location = `valkeys://${strict.host}:${port}`;
    await expect(open(location, { tls }).send([["PING"]])).rejects.toThrow(ConnectionError);
    const shown = { ...tls, cert: certificate("client.pem"), key: Buffer.from(certificate("client.key")) };
    expect(await open(location, { tls: shown }).send([["PING"]])).toEqual(["PONG"]);
  });

  it("reports why a server can't be reached, within the deadline", async () => {
    const refused = await refusalOf(open(`valkey://127.0.0.1:${await freePort()}`).send([["PING"]]));
    expect(refused).toBeInstanceOf(ConnectionError);
    expect(String(refused)).toMatch(/could not be reached: .*ECONNREFUSED.*; check that it is running/);
    expect(refused).toMatchObject({ cause: { code: "ECONNREFUSED" } });
    await using proxy = await startProxy(server);
    proxy.pause();
    const mute = open(`${proxy.url}/1`, { connectTimeout: "50ms" });
    await expect(mute.send([["PING"]])).rejects.toThrow(TimeoutError);
    await until(() => proxy.connections === 0, { what: "the dial to be abandoned" });
  });

  it("ends the server's connection on close, even during a command", async () => {
    await using proxy = await startProxy(server);
    const connection = open(proxy.url);
    await connection.send([["PING"]]);
    const pending = refusalOf(connection.send([["BLPOP", "nothing", "0"]]));
    await connection.close();
    expect(await pending).toBeInstanceOf(ConnectionError);
    await until(() => proxy.connections === 0, { what: "the connection to end" });
  });

  it("opens another connection after one was lost, and retries idempotent commands", async () => {
    await using proxy = await startProxy(server);
    const connection = open(proxy.url);
    await connection.send([["PING"]]);
    proxy.reset();
    expect(await connection.send([["PING"]], { readOnly: true })).toEqual(["PONG"]);
    expect(proxy.accepted).toBe(2);
  });

  it("refuses a part that is neither text nor bytes, and sends nothing of its round trip", async () => {
    const connection = open(server.url);
    const wrong = connection.send([
      ["SET", "half", "1"],
      ["SET", "half", 2 as unknown as string],
    ]);
    await expect(wrong).rejects.toThrow(new TypeError("SET: 2 is no argument of a command; give a string or bytes"));
    expect(await connection.send([["EXISTS", "half"], ["PING"]])).toEqual([0, "PONG"]);
  });

  it("distinguishes a status from a value with the same text", async () => {
    const connection = open(server.url);
    const values = ["OK", "+OK", "PONG", "+", "\r\n"];
    const pairs = values.flatMap((value, index) => [`status ${index}`, value]);
    const [, stored] = await connection.send([
      ["MSET", "first", "x+", ...(pairs as [string])],
      ["MGET", "first", ...values.map((_, index) => `status ${index}`)],
    ]);
    expect(stored).toEqual(["x+", ...values].map((value) => Buffer.from(value)));
  });

  it("distinguishes a status from a value even if replies arrive byte by byte", async () => {
    await using proxy = await startProxy(server);
    proxy.throttle();
    const connection = open(proxy.url);
    const replies = await connection.send([["SET", "throttled", "OK"], ["GET", "throttled"], ["PING"]]);
    expect(replies).toEqual(["OK", Buffer.from("OK"), "PONG"]);
  });
});

describe("iovalkey with a connector", () => {
  const web: Connector = ({ host, port }) => Duplex.toWeb(dialTcp({ host, port })) as ReturnType<Connector> & object;

  it("uses the connector's streams, and passes the address to it", async () => {
    await using server = await startValkey();
    const targets: unknown[] = [];
    const connector: Connector = (target) => {
      targets.push(target);
      return web(target);
    };
    const connection = open(server.url, { connector });
    const value = new Uint8Array(300_000).fill(7);
    const replies = await connection.send([
      ["SET", "key", value],
      ["GET", "key"],
    ]);
    expect(replies).toEqual(["OK", Buffer.from(value)]);
    expect(targets).toEqual([{ host: server.host, port: server.port, tls: false }]);
    await connection.close();
    await until(async () => !/name= .*cmd=get/.test(String(await command(server.port, ["CLIENT", "LIST"]))), {
      what: "the connection to end",
    });
  });

  it("sends the commands of one turn of the event loop in one write, in their order", async () => {
    await using server = await startValkey();
    const writes: Uint8Array[] = [];
    const connection = open(server.url, {
      connector: async (target) => {
        const { readable, writable } = await web(target);
        const recorded = new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            writes.push(chunk);
            controller.enqueue(chunk);
          },
        });
        void recorded.readable.pipeTo(writable).catch(() => {});
        return { readable, writable: recorded.writable };
      },
    });
    await connection.send([["PING"]]);
    writes.length = 0;
    const replies = await Promise.all([
      connection.send([["SET", "key", Uint8Array.of(0xff)]]),
      connection.send([
        ["APPEND", "key", "x".repeat(20_000)],
        ["GETRANGE", "key", "0", "1"],
      ]),
      connection.send([["INCR", "count"]], { atomic: true }),
      connection.send([["STRLEN", "key"]]),
    ]);
    expect(replies).toEqual([["OK"], [20_001, Buffer.from([0xff, 0x78])], [1], [20_001]]);
    expect(writes).toHaveLength(1);
  });

  it.each([
    ["a reply that no command asked for", "+PONG\r\n"],
    ["something that is no reply", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ])("leaves a connection with %s, and opens another one", async (_, surplus) => {
    let accepted = 0;
    const strange = createServer((socket) => {
      const more = ++accepted === 1 ? surplus : "";
      socket.on("error", () => {});
      socket.on("data", (data) => {
        const commands = String(data).match(/^\*\d+\r$/gm) ?? [];
        socket.write("+PONG\r\n".repeat(commands.length) + more);
      });
    });
    const port = await listenAnywhere(strange);
    onTestFinished(() => void strange.close());
    const connection = open(`valkey://127.0.0.1:${port}`);
    const ping = () => connection.send([["PING"]], { readOnly: true });
    expect(await ping()).toEqual(["PONG"]);
    await until(async () => (await ping()) && accepted === 2, { what: "another connection" });
  });

  it("closes a connection that opens after the deadline", async () => {
    await using server = await startValkey();
    await using proxy = await startProxy(server);
    const gate = deferred<void>();
    const connector: Connector = async (target) => {
      await gate.promise;
      return web(target);
    };
    const connection = open(proxy.url, { connector, connectTimeout: "20ms" });
    await expect(connection.send([["PING"]])).rejects.toThrow(TimeoutError);
    gate.resolve();
    await until(() => proxy.accepted === 1 && proxy.connections === 0, { what: "the late connection to end" });
  });

  it("reports a connector that throws, and a stream that breaks", async () => {
    const broken = open("valkey://127.0.0.1:1", {
      connector: () => {
        throw new Error("no route");
      },
    });
    await expect(broken.send([["PING"]])).rejects.toThrow(/could not be reached: no route/);
    const server = createServer((socket) => void socket.once("data", () => socket.resetAndDestroy()));
    const port = await listenAnywhere(server);
    onTestFinished(() => void server.close());
    const cut = open(`valkey://127.0.0.1:${port}`, { connector: web });
    await expect(cut.send([["PING"]])).rejects.toThrow(/the connection to .* was lost/);
  });
});

describe("options of iovalkey()", () => {
  it.each([
    [{ connectTimeout: 0 }, "valkey://a", /option "connectTimeout"/],
    [{ connector: {} }, "valkey://a", /option "connector" is an object; give a function/],
    [{ readFrom: "preferReplica" }, "valkey://a", /reads from the primary; leave it out, or use glide\(\)/],
    [{ tls: { cert: "x" } }, "valkeys://a", /only one of cert and key/],
    [{}, "memory:", /use the connection factory memory\(\)/],
    [{}, "valkey://a?protocol=3", /supports RESP2 only/],
    [{ connector: () => ({}) }, "unix:///a", /is a socket.*leave option "connector" out/],
    [{ addressMap: {} }, "unix:///a", /is a socket.*leave option "addressMap" out/],
  ] as [IovalkeyOptions, string, RegExp][])("%o with %s is refused", (options, location, message) => {
    const connect = () => iovalkey(options).connect(parseLocation(location), PROCESS);
    expect(connect).toThrow(ConfigurationError);
    expect(connect).toThrow(message);
  });
});
