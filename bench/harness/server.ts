import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "iovalkey";

const HOST = "127.0.0.1";

export interface Server extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly version: string;
  /** Sends a command over the bench's own connection. */
  command(name: string, ...args: string[]): Promise<unknown>;
}

/** A valkey-server of the bench's own, which keeps nothing on disk and ends with the bench. */
export async function startServer(): Promise<Server> {
  const port = await freePort();
  const args = ["--port", String(port), "--bind", HOST, "--save", "", "--appendonly", "no"];
  const server = spawn("valkey-server", args, { stdio: "ignore" });
  const kill = (): void => void server.kill("SIGKILL");
  process.once("exit", kill);
  const connection = await connect(port, server);
  const info = String(await connection.call("INFO", "server"));
  return {
    port,
    url: `valkey://${HOST}:${port}`,
    version: (/^valkey_version:(\S+)/m.exec(info) ?? /^redis_version:(\S+)/m.exec(info))?.[1] ?? "unknown",
    command: (name, ...rest) => connection.call(name, ...rest),
    async [Symbol.asyncDispose]() {
      connection.disconnect();
      process.off("exit", kill);
      server.kill();
      await once(server, "exit");
    },
  };
}

async function connect(port: number, server: ChildProcess): Promise<Redis> {
  let failure: unknown;
  server.once("error", (error) => {
    failure = error;
  });
  for (let tries = 0; tries < 500 && !failure && server.exitCode === null; tries++) {
    const connection = new Redis({ host: HOST, port, lazyConnect: true, retryStrategy: () => null });
    connection.on("error", () => {});
    try {
      await connection.connect();
      return connection;
    } catch (error) {
      connection.disconnect();
      if (tries === 499) failure = error;
      await sleep(10);
    }
  }
  throw new Error("valkey-server does not start; see that it is installed and on the PATH", { cause: failure });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, HOST);
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return address.port;
}
