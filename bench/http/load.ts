import { connect, type Socket } from "node:net";

export interface Load {
  readonly perSecond: number;
  readonly p99Ms: number;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const LAST_CHUNK = Buffer.from("\r\n0\r\n\r\n");

/**
 * Asks the same GET again and again over so many connections, each with one request under way at any time. A client of so
 * few steps that the server is what is measured.
 */
export async function load(port: number, path: string, connections: number, durationMs: number): Promise<Load> {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: */*\r\n\r\n`);
  const latencies: number[] = [];
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  await Promise.all(Array.from({ length: connections }, () => run(port, request, endMs, latencies)));
  const seconds = (performance.now() - startMs) / 1_000;
  latencies.sort((a, b) => a - b);
  return {
    perSecond: latencies.length / seconds,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
  };
}

function run(port: number, request: Buffer, endMs: number, latencies: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let sentMs = 0;
    const send = (): void => {
      sentMs = performance.now();
      socket.write(request);
    };
    const received = (): void => {
      const nowMs = performance.now();
      latencies.push(nowMs - sentMs);
      if (nowMs < endMs) {
        send();
        return;
      }
      socket.end();
      resolve();
    };
    socket.on("connect", send);
    socket.on("error", reject);
    readResponses(socket, received, reject);
  });
}

/** Responses with Content-Length, or in chunks that end with a chunk of no data, as no body here contains one. */
function readResponses(socket: Socket, received: () => void, failed: (error: Error) => void): void {
  let head = Buffer.alloc(0);
  /** Of a body with Content-Length, in bytes. */
  let left = 0;
  /** The last bytes of a body in chunks, as far as it has come. */
  let tail: Buffer | undefined;
  const endOfChunks = (chunk: Buffer): void => {
    const size = LAST_CHUNK.length;
    tail = Buffer.concat([tail ?? Buffer.alloc(0), chunk.subarray(-size)]).subarray(-size);
    if (!tail.equals(LAST_CHUNK)) return;
    tail = undefined;
    received();
  };
  socket.on("data", (chunk) => {
    if (tail) return endOfChunks(chunk);
    if (left > 0) {
      left -= chunk.length;
      if (left === 0) received();
      return;
    }
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const end = head.indexOf(HEAD_END);
    if (end === -1) return;
    const text = head.toString("latin1", 0, end);
    const body = head.subarray(end + HEAD_END.length);
    head = Buffer.alloc(0);
    const [, length] = /\r\ncontent-length: *(\d+)/i.exec(text) ?? [];
    const isChunked = /\r\ntransfer-encoding: *chunked/i.test(text);
    if (!text.startsWith("HTTP/1.1 200") || (length === undefined && !isChunked)) {
      failed(new Error(`a response that can't be measured: ${text}`));
      return;
    }
    if (isChunked) {
      tail = Buffer.alloc(0);
      return endOfChunks(body);
    }
    left = Number(length) - body.length;
    if (left === 0) received();
  });
}
