import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { command } from "../support/command.js";
import { bin } from "../support/project.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";
import { environment, tools } from "./app.js";

interface Instance {
  readonly child: ChildProcess;
  get(path: string): Promise<{ status: number; cache: string | null; body: Record<string, number> }>;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Starts the application. */
async function start(location: string, keyPrefix: string): Promise<Instance> {
  const env = { ...environment(tools), VALKEY_URL: location, KEY_PREFIX: keyPrefix };
  const child = spawn(join(bin, "node"), ["nestjs-app.mjs"], { cwd: tools, env });
  children.push(child);
  let output = "";
  child.stdout.on("data", (text) => {
    output += text;
  });
  child.stderr.on("data", (text) => {
    output += text;
  });
  const [, port] = await until(() => /listening (\d+)/.exec(output), { what: "the port", timeoutMs: 60_000 }).catch(
    (cause) => {
      throw new Error(`the application doesn't listen:\n${output}`, { cause });
    },
  );
  return {
    child,
    async get(path) {
      const response = await fetch(`http://127.0.0.1:${port}/${path}`);
      const body = (await response.json()) as Record<string, number>;
      return { status: response.status, cache: response.headers.get("x-cache"), body };
    },
  };
}

describe("an application of NestJS with keyvStore()", () => {
  it("shares entries and loads with other instances, answers while the server is gone, and ends", async () => {
    await using server = await startValkey();
    const prefix = `nest-${randomUUID()}`;
    const [one, two] = [await start(server.url, prefix), await start(server.url, prefix)];

    // CacheInterceptor: the second instance has what the first one has stored.
    const made = await one.get("city");
    expect(made).toMatchObject({ status: 200, cache: "MISS", body: { pid: one.child.pid } });
    await until(async () => (await two.get("city")).cache === "HIT", { what: "a hit" });
    expect((await two.get("city")).body).toEqual(made.body);
    expect(await command(server.port, ["KEYS", "*/city"])).toEqual([`${prefix}:1::/city`]);

    // CACHE_MANAGER, with lifetimes in milliseconds.
    expect((await one.get("counter")).body).toMatchObject({ count: 1 });
    const { count, ttl = 0 } = (await two.get("counter")).body;
    expect(count).toBe(2);
    expect(ttl - Date.now()).toBeGreaterThan(20_000);
    expect(ttl - Date.now()).toBeLessThanOrEqual(30_000);

    // fleetWrap: one load for both.
    const reports = await Promise.all([one, two, one, two].map((instance) => instance.get("report")));
    expect(new Set(reports.map(({ body }) => JSON.stringify(body))).size).toBe(1);

    for (const signal of ["SIGSTOP", "SIGKILL"] as const) {
      await server.kill(signal);
      const startMs = performance.now();
      for (const path of ["city", "report", "counter"]) expect((await one.get(path)).status).toBe(200);
      expect(performance.now() - startMs).toBeLessThan(8_000);
    }

    await server.restart();
    await until(async () => (await one.get("city")).cache === "HIT", { what: "a hit after the restart", everyMs: 50 });

    for (const { child } of [one, two]) {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    const clients = String(await command(server.port, ["CLIENT", "LIST"]));
    expect(clients.trim().split("\n")).toHaveLength(1);
  });
});
