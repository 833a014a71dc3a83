import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { describe, expect, inject, it } from "vitest";
import type { StatisticsSnapshot } from "../../src/index.js";
import { HOST, listen, listenAnywhere } from "../support/ports.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";
import { fromOf } from "./cache-status.js";
import { startService } from "./service.js";

const QUESTION = "/cities/search?q=berlin&n=3";

async function ask(url: string): Promise<{ from: string | null; body: unknown }> {
  const response = await fetch(`${url}${QUESTION}`);
  expect(response.status).toBe(200);
  return { from: fromOf(response.headers.get("cache-status")), body: await response.json() };
}

/** A connection on which so much of a request has been sent. */
async function open(url: string, start: string): Promise<AsyncDisposable> {
  const socket = connect(Number(new URL(url).port), HOST).on("error", () => {});
  await once(socket, "connect");
  socket.write(start);
  // Connections are accepted in turn, so once a later one is served this one is, too: before, it would end with the server.
  await fetch(url);
  return { [Symbol.asyncDispose]: async () => void socket.destroy() };
}

it("prints the addresses of the page and of the inspector, and what to try, and answers from memory", async () => {
  await using service = await startService();
  await until(() => service.output().includes("Try next"), { what: "all that it prints" });
  const [first, second, third] = service.output().split("\n");
  expect(first).toMatch(/^Listening on http:\/\/localhost:\d+ \(cache: in memory;/);
  expect(second).toContain(`Inspector: ${service.url}/inspector (`);
  expect(third).toMatch(/^Try next: .*“500 callers at once”/);
});

it("says which password opens the inspector, and never the password itself", async () => {
  await using service = await startService({ INSPECTOR_TOKEN: "not-to-be-printed" });
  await until(() => service.output().includes("Try next"), { what: "all that it prints" });
  expect(service.output()).toMatch(/Inspector: .*INSPECTOR_TOKEN as the password/);
  expect(service.output()).not.toContain("not-to-be-printed");
});

it("offers the buttons to this machine, and with INSPECTOR_TOKEN only to clients that have it", async () => {
  const state = async (url: string, headers = {}) => (await fetch(`${url}/demo`, { headers })).json();
  await using open = await startService();
  expect(await state(open.url)).toMatchObject({ isAllowed: true, canFail: true });
  await using guarded = await startService({ INSPECTOR_TOKEN: "secret" });
  expect(await state(guarded.url)).toMatchObject({ isAllowed: false, needsToken: true });
  expect(await state(guarded.url, { authorization: "Bearer secret" })).toMatchObject({ isAllowed: true });
});

it("takes the next free port where none is given and 3000 is taken, and says so", async () => {
  const other = createServer();
  // Another process may have it already, which is as good.
  await listen(other, 3_000).catch(() => {});
  try {
    await using service = await startService({ PORT: "" });
    const port = Number(new URL(service.url).port);
    expect(port).toBeGreaterThan(3_000);
    expect(service.output()).toMatch(`Port 3000 is taken, so this listens on port ${port}.\n`);
    expect((await ask(service.url)).from).toBe("miss");
  } finally {
    other.close();
  }
});

it("serves the page and answers from memory", async () => {
  await using service = await startService();
  expect(service.output()).toMatch(/^Listening on http:\/\/localhost:\d+ \(cache: in memory;/);
  expect(await (await fetch(service.url)).text()).toMatch(/^<!doctype html>/);
  const first = await ask(service.url);
  expect(first).toMatchObject({ from: "miss", body: { results: [{ name: "Berlin", country: "DE" }, {}, {}] } });
  expect(await ask(service.url)).toEqual({ from: "hit", body: first.body });
});

it("keeps answers in Valkey, for the next process too", async () => {
  await using valkey = await startValkey();
  const env = { VALKEY_URL: valkey.url };
  await using service = await startService(env);
  expect((await ask(service.url)).from).toBe("miss");
  service.kill("SIGTERM");
  expect(await service.ended).toBe(0);
  await using next = await startService(env);
  expect((await ask(next.url)).from).toBe("hit");
});

it("answers from the process what it has read, until another process changes it", async () => {
  await using valkey = await startValkey();
  const env = { VALKEY_URL: valkey.url, PURGE_TOKEN: "secret" };
  await using service = await startService(env);
  await using other = await startService(env);
  const nearHits = async () => {
    expect((await ask(service.url)).from).toMatch(/hit|miss/);
    const { total } = (await (await fetch(`${service.url}/statistics`)).json()) as StatisticsSnapshot;
    return total.nearHits;
  };
  await until(nearHits, { what: "an answer of the near cache" });
  const purged = await fetch(`${other.url}/purge`, { method: "POST", headers: { authorization: "Bearer secret" } });
  expect(purged.status).toBe(204);
  await until(async () => (await ask(service.url)).from === "miss", { what: "the purge", timeoutMs: 1_500 });
});

it("says whether the store answers", async () => {
  await using valkey = await startValkey();
  const env = { VALKEY_URL: valkey.url };
  await using there = await startService(env);
  expect(there.output()).toMatch(/\(cache: in Valkey, which answers within \d+ ms\)/);
  await valkey.kill("SIGKILL");
  await using gone = await startService(env);
  expect(gone.output()).toMatch(/\(cache: in Valkey, which does not answer: .*; requests are computed meanwhile\)/);
  expect((await ask(gone.url)).from).toBe("miss");
});

it("answers without the store while that is down", async () => {
  await using valkey = await startValkey();
  await using service = await startService({ VALKEY_URL: valkey.url });
  await ask(service.url);
  await valkey.kill("SIGKILL");
  expect((await ask(service.url)).from).toBe("miss");
});

describe.each(["SIGINT", "SIGTERM"] as const)("on %s", (signal) => {
  it.each(["memory:", "valkey"])("ends with code 0, also with a connection kept alive, on %s", async (store) => {
    await using service = await startService({ VALKEY_URL: store === "valkey" ? inject("valkeyUrl") : store });
    await ask(service.url);
    service.kill(signal);
    expect(await service.ended).toBe(0);
    expect(service.output()).not.toMatch(/error/i);
  });
});

it("ends with code 0 in spite of a connection that no request comes on", async () => {
  await using service = await startService();
  await using _silent = await open(service.url, "");
  service.kill("SIGINT");
  expect(await service.ended).toBe(0);
});

it("ends at once, with code 1, at the second signal while a request is in progress", async () => {
  await using service = await startService();
  await using _slow = await open(service.url, "GET / HTTP/1.1\r\n");
  service.kill("SIGINT");
  const refused = () =>
    fetch(service.url).then(
      () => false,
      () => true,
    );
  await until(refused, { what: "the server to refuse connections" });
  service.kill("SIGINT");
  expect(await service.ended).toBe(1);
});

describe("says what is wrong, in one line, and ends with code 1", () => {
  it.each([
    [{ PORT: "http" }, /^PORT: "http" is not a port; give a number from 0 to 65535\n$/],
    [{ PORT: "65536" }, /^PORT: "65536" is not a port/],
    [{ VALKEY_URL: "mysql://localhost" }, /^location: mysql:\/\/localhost has none of the schemes .*\n$/],
  ])("with %j", async (env, message) => {
    await using service = await startService(env);
    expect(await service.ended).toBe(1);
    expect(service.output()).toMatch(message);
  });

  it("with a port that is taken", async () => {
    const other = createServer();
    const port = await listenAnywhere(other);
    try {
      await using service = await startService({ PORT: String(port) });
      expect(await service.ended).toBe(1);
      expect(service.output()).toMatch(
        new RegExp(`^listen EADDRINUSE: .*${HOST}:${port}; set PORT to another port.*\n$`),
      );
    } finally {
      other.close();
    }
  });
});
