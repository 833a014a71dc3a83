import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.js";
import { launch, type Running } from "./launch.js";
import { freePort, HOST } from "./ports.js";
import { until } from "./wait.js";

export interface ValkeyServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** Stops it and removes its files. */
  stop(): Promise<void>;
  /** Sends a signal. Waits for the end if the signal ends the server, which can be restarted. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Stops it if it still runs, and starts it again, empty, on the same port. */
  restart(): Promise<void>;
}

export interface ValkeyOptions {
  /** More arguments of valkey-server, such as `["--maxmemory", "2mb"]`. */
  args?: readonly string[];
}

const TRIES = 5;

/** Starts a valkey-server on a free port without persistence. It accepts commands when this resolves. */
export async function startValkey(options: ValkeyOptions = {}): Promise<ValkeyServer> {
  const { args = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), "valkey-"));
  const clear = () => rm(folder, { recursive: true, force: true });
  let { port, running } = await startOnFreePort(args, folder).catch(async (error) => {
    await clear();
    throw error;
  });
  const stop = async () => {
    await running.stop();
    await clear();
  };
  return {
    host: HOST,
    port,
    url: `valkey://${HOST}:${port}`,
    get pid() {
      return running.pid;
    },
    stop,
    kill: (signal) => running.kill(signal),
    async restart() {
      await running.stop();
      running = await startOn(port, args, folder);
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function startOnFreePort(args: readonly string[], folder: string): Promise<{ port: number; running: Running }> {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    try {
      return { port, running: await startOn(port, args, folder) };
    } catch (error) {
      // Another process took the port first.
      if (tries === TRIES || !/Address already in use/.test(String(error))) throw error;
    }
  }
}

async function startOn(port: number, args: readonly string[], folder: string): Promise<Running> {
  const settings = ["--port", String(port), "--bind", HOST, "--dir", folder, "--save", "", "--appendonly", "no"];
  const running = await launch("valkey-server", [...settings, ...args], folder);
  await until(async () => running.ended || (await answers(port)), {
    what: `valkey-server on port ${port}`,
    everyMs: 5,
  });
  if (running.ended) throw new Error(`valkey-server ended while starting: ${running.log()}`);
  return running;
}

/** A server that asks for a password is ready, too. */
async function answers(port: number): Promise<boolean> {
  const reply = await command(port, ["PING"]).catch((error: unknown) => error);
  return reply === "PONG" || /NOAUTH/.test(String(reply));
}
