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

it("a started server answers until it is stopped", async () => {
  const server = await startValkey();
  await expect(command(server.port, ["PING"])).resolves.toBe("PONG");
  const [, folder] = (await command(server.port, ["CONFIG", "GET", "dir"])) as [string, string];
  await server.stop();
  await expect(command(server.port, ["PING"])).rejects.toThrow();
  expect(isRunning(server.pid)).toBe(false);
  expect(existsSync(folder)).toBe(false);
});

it("each call starts a separate server", async () => {
  await using one = await startValkey();
  await using other = await startValkey();
  expect(other.port).not.toBe(one.port);
});

it("a server starts with the given arguments, also when it asks for a password", async () => {
  await using server = await startValkey({ args: ["--requirepass", "secret"] });
  await expect(command(server.port, ["PING"])).rejects.toThrow("NOAUTH");
  await expect(command(server.port, ["PING"], { password: "secret" })).resolves.toBe("PONG");
});

it("the error of a server that can't start contains its log", async () => {
  await expect(startValkey({ args: ["--maxmemory", "lots"] })).rejects.toThrow(/maxmemory/);
});

it("a killed server restarts empty on the same port", async () => {
  await using server = await startValkey();
  await command(server.port, ["SET", "key", "value"]);
  const { pid, port } = server;
  await server.kill("SIGKILL");
  expect(isRunning(pid)).toBe(false);
  await server.restart();
  expect(server.port).toBe(port);
  await expect(command(port, ["GET", "key"])).resolves.toBeNull();
});

it("a hanging server is stopped", async () => {
  const server = await startValkey();
  await server.kill("SIGSTOP");
  await expect(command(server.port, ["PING"], { timeoutMs: 50 })).rejects.toThrow();
  await server.stop();
  expect(isRunning(server.pid)).toBe(false);
});

it("a killed process leaves neither its server nor its files behind", async () => {
  const hooks = `data:text/javascript,${encodeURIComponent(HOOKS)}`;
  const starter = spawn(process.execPath, ["--import", hooks, "--input-type=module", "--eval", STARTER]);
  const [line] = (await once(starter.stdout, "data")) as [Buffer];
  const [pid, port] = String(line).split(" ").map(Number) as [number, number];
  const [, folder] = (await command(port, ["CONFIG", "GET", "dir"])) as [string, string];
  starter.kill("SIGKILL");
  await until(() => !isRunning(pid) && !existsSync(folder), { what: "the server to end" });
});

it("all test files share one standalone server", async () => {
  await expect(command(Number(new URL(inject("valkeyUrl")).port), ["PING"])).resolves.toBe("PONG");
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
