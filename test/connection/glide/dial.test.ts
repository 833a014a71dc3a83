import { describe, expect, it } from "vitest";
import {
  type CacheOptions,
  ConnectionError,
  type Credentials,
  createCache,
  glide,
  glideCluster,
  ReplyError,
} from "../../../src/index.js";
import { startFailingServer } from "../../faults/failing-server.js";
import { command } from "../../support/command.js";
import { startValkey } from "../../support/servers.js";
import { stopwatch } from "../../support/stopwatch.js";
import { until } from "../../support/wait.js";

/** The error of the first command of a cache. */
async function failure(options: CacheOptions): Promise<unknown> {
  await using cache = createCache(options);
  return await cache.get("a").then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("opening GLIDE", () => {
  it("names a port that refuses connections, long before the deadline", async () => {
    // The first dial of the process also loads GLIDE, which is not measured.
    await failure({ location: "valkey://127.0.0.1:2" });
    const took = stopwatch();
    const error = await failure({ location: "valkey://127.0.0.1:1" });
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({
      name: "ConnectionError",
      message: expect.stringMatching(/127\.0\.0\.1:1 .*refused/),
    });
    expect(took()).toBeLessThan(900);
  });

  it("names a host that does not exist", async () => {
    const error = await failure({ location: "valkey://no-such-host.invalid" });
    expect(error).toBeInstanceOf(ConnectionError);
    expect(String(error)).toContain("no-such-host.invalid");
  });

  it("names the cause within connectTimeout, whatever part of it other steps have taken", async () => {
    const { port } = await startFailingServer("refuses valkey-glide");
    const credentials = () => new Promise<Credentials>((resolve) => setTimeout(resolve, 400, { password: "p" }));
    const connectionFactory = glide({ credentials, connectTimeout: "700ms" });
    const error = await failure({ location: `valkey://127.0.0.1:${port}`, connectionFactory });
    expect(String(error)).toMatch(/valkey-glide can't connect/);
  });

  it("names a wrong password, and an unknown database", async () => {
    await using server = await startValkey({ args: ["--requirepass", "right"] });
    const name = `127.0.0.1:${server.port}`;
    expect(String(await failure({ location: server.url, password: "wrong" }))).toMatch(/authentication failed/i);
    const error = await failure({ location: `${server.url}/99`, password: "right" });
    expect(String(error)).toMatch(/database/);
    expect(String(error)).toContain(name);
  });

  it("passes on the server's error when the password is missing", async () => {
    await using server = await startValkey({ args: ["--requirepass", "right"] });
    expect(String(await failure({ location: server.url }))).toMatch(/NOAUTH|Authentication required/);
  });

  it("works for a user whose ACL forbids asking for the server's role", async () => {
    await using server = await startValkey();
    await command(server.port, ["ACL", "SETUSER", "app", "on", ">pass", "+@all", "-@dangerous", "~*"]);
    await using cache = createCache({ location: server.url, username: "app", password: "pass" });
    expect(await cache.set("a", 1)).toBe(true);
    expect(await cache.get("a")).toBe(1);
  });

  it("works with a single replica, which answers reads and refuses writes", async () => {
    await using primary = await startValkey({ args: ["--repl-diskless-sync-delay", "0"] });
    await using replica = await startValkey({ args: ["--replicaof", `127.0.0.1 ${primary.port}`] });
    await command(primary.port, ["SET", ":1:a", "1"]);
    await until(async () => (await command(replica.port, ["GET", ":1:a"])) === "1", { what: "the copy" });
    await using cache = createCache({ location: replica.url });
    expect(await cache.get("a")).toBe(1);
    const error: unknown = await cache.set("a", 2).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ReplyError);
    expect(error).toMatchObject({ code: "READONLY" });
  });

  it("finds the primary among several servers", async () => {
    await using primary = await startValkey();
    await using replica = await startValkey({ args: ["--replicaof", `127.0.0.1 ${primary.port}`] });
    await using cache = createCache({ location: [replica.url, primary.url] });
    expect(await cache.set("a", 1)).toBe(true);
    expect(await command(primary.port, ["GET", ":1:a"])).toBe("1");
  });

  it("names the nodes of a cluster that is missing or is not a cluster", async () => {
    const absent = { location: "valkey://127.0.0.1:1", connectionFactory: glideCluster() };
    expect(await failure(absent)).toBeInstanceOf(ConnectionError);
    await using server = await startValkey();
    const error = await failure({ location: server.url, connectionFactory: glideCluster() });
    expect(error).toBeInstanceOf(ConnectionError);
    expect(String(error)).toContain(server.url);
  });
});
