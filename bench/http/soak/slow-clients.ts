import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { load } from "../load.ts";
import { startProgram } from "../program.ts";
import type { Memory } from "./memory.ts";

/** Many clients that read a stored response slowly or not at all. */
export interface SlowClientsCase {
  readonly name: string;
  readonly clients: number;
  /** Memory of the process without them, with them, and after they have left. */
  readonly before: Memory;
  readonly meanwhile: Memory;
  readonly after: Memory;
  /** Requests per second of other clients, without them and with them. */
  readonly perSecondBefore: number;
  readonly perSecondMeanwhile: number;
  readonly p99MsMeanwhile: number;
}

/**
 * Responses that each client requests at once. The kernel takes the first two from the process: a Unix socket buffers
 * about 208 KB, and one of TCP on loopback several megabytes.
 */
const RESPONSES = 4;
const PIECE_BYTES = 16;
/** Clients that connect at once. */
const BATCH = 200;
const CONNECTIONS = 50;

/** Half of the clients read 16 bytes a second, the others nothing. */
export async function measureSlowClients(
  { name, by }: { readonly name: string; readonly by: string },
  url: string,
  { clients, sliceMs }: { readonly clients: number; readonly sliceMs: number },
): Promise<SlowClientsCase> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  const socketPath = join(folder, "socket");
  const program = { name, file: "soak/express.ts", args: [by, url, socketPath], execArgv: ["--expose-gc"] };
  const { port, end } = await startProgram(program);
  const sockets: Socket[] = [];
  try {
    await load(port, "/100", CONNECTIONS, sliceMs);
    const { perSecond: perSecondBefore } = await load(port, "/1", CONNECTIONS, sliceMs);
    const before = await measured(port);
    while (sockets.length < clients) {
      const size = Math.min(BATCH, clients - sockets.length);
      sockets.push(
        ...(await Promise.all(Array.from({ length: size }, (_one, i) => readSlowly(socketPath, i % 2 === 0)))),
      );
    }
    const { perSecond: perSecondMeanwhile, p99Ms: p99MsMeanwhile } = await load(port, "/1", CONNECTIONS, sliceMs);
    const meanwhile = await measured(port);
    const left = sockets.filter(({ destroyed }) => destroyed).length;
    if (left > 0) throw new Error(`${left} slow clients were disconnected`);
    for (const socket of sockets) socket.destroy();
    await sleep(2_000);
    const after = await measured(port);
    return { name, clients, before, meanwhile, after, perSecondBefore, perSecondMeanwhile, p99MsMeanwhile };
  } finally {
    for (const socket of sockets) socket.destroy();
    end();
    process.off("exit", remove);
    remove();
  }
}

async function measured(port: number): Promise<Memory> {
  return (await (await fetch(`http://127.0.0.1:${port}/measured`)).json()) as Memory;
}

/** Connects and requests. @param reads 16 bytes a second, or nothing */
async function readSlowly(path: string, reads: boolean): Promise<Socket> {
  const callback = (): boolean => {
    setTimeout(() => socket.resume(), 1_000).unref();
    return false;
  };
  const socket = connect({ path, onread: { buffer: Buffer.alloc(PIECE_BYTES), callback } });
  if (!reads) socket.pause();
  try {
    await once(socket, "connect");
  } catch (error) {
    // More clients wait to be accepted than the server's backlog has room for.
    if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    await sleep(20);
    return readSlowly(path, reads);
  }
  socket.on("error", () => {});
  socket.write("GET /100 HTTP/1.1\r\nHost: bench.example\r\n\r\n".repeat(RESPONSES));
  return socket;
}
