import { connect, type Socket } from "node:net";

/** Faults of the traffic; may change at any time. */
export interface Faults {
  paused: boolean;
  /** What the server sends is dropped. */
  silenced: boolean;
  delayMs: number;
  throttled: boolean;
}

export interface RelayOptions {
  host: string;
  port: number;
  faults: Faults;
  /** Called when the client sends first, or after the server has sent. */
  onClientTurn: () => void;
}

/** Captured before any test installs fake timers. */
const realSetTimeout = globalThis.setTimeout;
const realSetImmediate = globalThis.setImmediate;
const realNow = performance.now.bind(performance);

/** Relays between a client's connection and a new one to the server, in both directions. */
export function relay(client: Socket, { host, port, faults, onClientTurn }: RelayOptions): void {
  const server = connect({ host, port, noDelay: true, allowHalfOpen: true });
  let isClientsTurn = false;
  client.on("data", () => {
    if (!isClientsTurn) onClientTurn();
    isClientsTurn = true;
  });
  server.on("data", () => {
    isClientsTurn = false;
  });
  pass(client, server, faults, () => faults.paused);
  pass(server, client, faults, () => faults.paused || faults.silenced);
  client.once("close", () => server.destroy());
  server.once("close", (hadError) => {
    if (hadError) client.resetAndDestroy();
  });
}

function pass(from: Socket, to: Socket, faults: Faults, isDropped: () => boolean): void {
  let last = Promise.resolve();
  from.on("data", (chunk: Buffer) => {
    if (isDropped()) return;
    const dueMs = realNow() + faults.delayMs;
    last = last.then(() => write(to, chunk, dueMs, faults));
  });
  from.on("end", () => {
    last = last.then(() => void to.end());
  });
  // An error is followed by "close", which ends the other side.
  from.on("error", () => {});
}

async function write(to: Socket, chunk: Buffer, dueMs: number, faults: Faults): Promise<void> {
  const waitMs = dueMs - realNow();
  if (waitMs > 0) await new Promise<void>((resolve) => realSetTimeout(resolve, waitMs));
  const size = faults.throttled ? 1 : chunk.length;
  for (let start = 0; start < chunk.length; start += size) {
    if (!to.writable) return;
    to.write(chunk.subarray(start, start + size));
    if (faults.throttled) await new Promise<void>((resolve) => realSetImmediate(resolve));
  }
}
