import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type Agent, get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** What answers: the handler by itself, or with a store the handler behind `httpCache`. */
export interface Version {
  readonly name: string;
  /** Of the store. */
  readonly url?: string | undefined;
  /** Another checkout of this project, to import the library from. */
  readonly checkout?: string | undefined;
}

export interface SlowServerOptions extends Omit<Version, "name"> {
  /** A Unix socket to listen on. @default a port of loopback */
  readonly socketPath?: string | undefined;
}

/** What a server process counts. */
export interface Measured {
  readonly handlerRuns: number;
  /** The most memory that the process has had so far, in MiB. */
  readonly peakMiB: number;
}

export type Address = { readonly port: number } | { readonly socketPath: string };

const program = fileURLToPath(new URL("slow-server.ts", import.meta.url));
/** All processes are one site, whatever they listen on, so that they share what is stored. */
export const SITE = "bench.example";

/** Processes that run slow-server.ts. */
export class SlowServers implements AsyncDisposable {
  readonly addresses: readonly Address[];
  readonly #processes: readonly ChildProcess[];

  private constructor(processes: readonly ChildProcess[], addresses: readonly Address[]) {
    this.#processes = processes;
    this.addresses = addresses;
  }

  static async launch(size: number, { url, checkout }: Version, socketPath?: string): Promise<SlowServers> {
    const options: SlowServerOptions = { url, checkout, socketPath };
    const start = (): ChildProcess => fork(program, [JSON.stringify(options)], { execArgv: [] });
    const processes = Array.from({ length: size }, start);
    try {
      return new SlowServers(processes, await Promise.all(processes.map(listening)));
    } catch (error) {
      await end(processes);
      throw error;
    }
  }

  /** What each process has counted so far. */
  measured(): Promise<Measured[]> {
    return Promise.all(
      this.addresses.map(async (address) => JSON.parse(await text(await request(address, "/measured"))) as Measured),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return end(this.#processes);
  }
}

/** Sends a GET. @throws Error on any other status than 200 */
export function request(address: Address, path: string, agent?: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", ...address, path, agent, headers: { host: SITE } };
    const received = (response: IncomingMessage): void => {
      if (response.statusCode === 200) resolve(response);
      else reject(new Error(`${path} was answered with status ${response.statusCode}`));
    };
    get(options, received).once("error", reject);
  });
}

async function listening(process: ChildProcess): Promise<Address> {
  const ended = once(process, "exit").then(() => {
    throw new Error("a server process has ended; what it says is above");
  });
  const [address] = (await Promise.race([once(process, "message"), ended])) as [Address];
  return address;
}

async function end(processes: readonly ChildProcess[]): Promise<void> {
  for (const process of processes) {
    if (process.exitCode !== null || process.signalCode !== null) continue;
    process.kill("SIGKILL");
    await once(process, "exit");
  }
}
