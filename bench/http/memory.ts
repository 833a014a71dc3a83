import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "../harness/statistics.ts";
import { type Address, SITE, SlowServers, type Version } from "./slow-servers.ts";

export interface MemoryCase {
  /** How the handler makes the body. */
  readonly body: string;
  readonly readers: number;
  readonly contenders: readonly {
    readonly name: string;
    readonly peakMiB: number;
    /** Its peak by that of the handler in the same round: the median. */
    readonly ratio: number;
  }[];
}

export const bodies = [
  { body: "stream with Content-Length", path: "/large/length/1" },
  { body: "stream", path: "/large/stream/1" },
  { body: "one buffer", path: "/large/whole/1" },
];

const READERS = 200;
const BODY_BYTES = 5 * 1_024 * 1_024;
const PIECE_BYTES = 32 * 1_024;

/** Measures all contenders in each round, in alternating order, and each in a process of its own. The first is the baseline. */
export async function measureMemory(
  { body, path }: (typeof bodies)[number],
  versions: readonly Version[],
  { rounds, pauseMs }: { readonly rounds: number; readonly pauseMs: number },
): Promise<MemoryCase> {
  const peaks = new Map<string, number[]>(versions.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const version of round % 2 === 0 ? versions : versions.toReversed()) {
      peaks.get(version.name)?.push(await peak(version, path, pauseMs));
    }
  }
  const baseline = peaks.get(versions[0]?.name ?? "") ?? [];
  const contenders = [...peaks].map(([name, own]) => ({
    name,
    peakMiB: median(own),
    ratio: median(own.map((peakMiB, round) => peakMiB / (baseline[round] ?? Number.NaN))),
  }));
  return { body, readers: READERS, contenders };
}

async function peak(version: Version, path: string, pauseMs: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    // TCP on loopback would buffer up to 4 MB of each response in the kernel, and leave hardly any back pressure.
    await using servers = await SlowServers.launch(1, version, join(folder, "socket"));
    const [address] = servers.addresses;
    if (!address) throw new Error("there is no server process");
    await Promise.all(Array.from({ length: READERS }, () => readSlowly(address, path, pauseMs)));
    const [measured] = await servers.measured();
    return measured?.peakMiB ?? Number.NaN;
  } finally {
    process.off("exit", remove);
    remove();
  }
}

/** Reads a response in small pieces, with a pause after each. */
function readSlowly(address: Address, path: string, pauseMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = 0;
    const buffer = Buffer.alloc(PIECE_BYTES);
    const callback = (bytes: number): boolean => {
      if (received === 0 && !buffer.toString("latin1", 0, bytes).startsWith("HTTP/1.1 200")) {
        socket.destroy(new Error(`a response that can't be measured: ${buffer.toString("latin1", 0, bytes)}`));
      }
      received += bytes;
      setTimeout(() => socket.resume(), pauseMs);
      return false;
    };
    const target = "port" in address ? { port: address.port, host: "127.0.0.1" } : { path: address.socketPath };
    const socket = connect({ ...target, onread: { buffer, callback } });
    socket.once("connect", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: ${SITE}\r\nConnection: close\r\n\r\n`));
    socket.once("error", reject);
    socket.once("close", () => {
      if (received >= BODY_BYTES) resolve();
      else reject(new Error(`${path} ended after ${received} bytes`));
    });
  });
}
