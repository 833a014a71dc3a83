import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, inject, it } from "vitest";
import { command } from "./command.js";
import { startValkey } from "./servers.js";
import { until } from "./wait.js";

/** A process that starts a server and stays. */
const STARTER = `
  const { startValkey } = await import(${JSON.stringify(new URL("servers.ts", import.meta.url))});
  const server = await startValkey();
  console.log(server.pid + " " + server.port);
  setInterval(() => {}, 1_000);
`;

/** Lets Node find the sources, which name each other as they are named once compiled. */
const HOOKS = `
  import { registerHooks } from "node:module";
  const toSource = (name, from) => (from?.endsWith(".ts") && name.startsWith(".") ? name.replace(/js$/, "ts") : name);
  registerHooks({ resolve: (name, context, next) => next(toSource(name, context.parentURL), context) });
`;

it("gives a server that answers, and nothing after it was stopped", async () => {
  const server = await startValkey();
  await expect(command(server.port, ["PING"])).resolves.toBe("PONG");
  const [, folder] = (await command(server.port, ["CONFIG", "GET", "dir"])) as [string, string];
  await server.stop();
  await expect(command(server.port, ["PING"])).rejects.toThrow();
  expect(isRunning(server.pid)).toBe(false);
  expect(existsSync(folder)).toBe(false);
});

it("gives each caller a server of its own", async () => {
  await using one = await startValkey();
  await using other = await startValkey();
  expect(other.port).not.toBe(one.port);
});

it("passes arguments on, and starts a server that wants a password", async () => {
  await using server = await startValkey({ args: ["--requirepass", "secret"] });
  await expect(command(server.port, ["PING"])).rejects.toThrow("NOAUTH");
  await expect(command(server.port, ["PING"], { password: "secret" })).resolves.toBe("PONG");
});

it("tells what the server said when it can't start", async () => {
  await expect(startValkey({ args: ["--maxmemory", "lots"] })).rejects.toThrow(/maxmemory/);
});

it("restarts a killed server, empty, on the same port", async () => {
  await using server = await startValkey();
  await command(server.port, ["SET", "key", "value"]);
  const { pid, port } = server;
  await server.kill("SIGKILL");
  expect(isRunning(pid)).toBe(false);
  await server.restart();
  expect(server.port).toBe(port);
  await expect(command(port, ["GET", "key"])).resolves.toBeNull();
});

it("stops a server that hangs", async () => {
  const server = await startValkey();
  await server.kill("SIGSTOP");
  await expect(command(server.port, ["PING"], { timeoutMs: 50 })).rejects.toThrow();
  await server.stop();
  expect(isRunning(server.pid)).toBe(false);
});

it("leaves no server and no file behind when the process that started it is killed", async () => {
  const hooks = `data:text/javascript,${encodeURIComponent(HOOKS)}`;
  const starter = spawn(process.execPath, ["--import", hooks, "--input-type=module", "--eval", STARTER]);
  const [line] = (await once(starter.stdout, "data")) as [Buffer];
  const [pid, port] = String(line).split(" ").map(Number) as [number, number];
  const [, folder] = (await command(port, ["CONFIG", "GET", "dir"])) as [string, string];
  starter.kill("SIGKILL");
  await until(() => !isRunning(pid) && !existsSync(folder), { what: "the server to end" });
});

it("shares one standalone server with all test files", async () => {
  await expect(command(Number(new URL(inject("valkeyUrl")).port), ["PING"])).resolves.toBe("PONG");
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
