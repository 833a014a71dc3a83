import type { Server } from "node:net";
import { getConnInfo } from "@hono/node-server/conninfo";
import type { Context } from "hono";

/** This machine's own address: other machines can't connect. */
const HOST = "127.0.0.1";
const DEFAULT_PORT = 3_000;
/** How many ports are tried, from the default one on. */
const TRIES = 20;

/** The port that `PORT` gives; `undefined` where it gives none. */
export function readPort(text: string | undefined): number | undefined {
  if (!text) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new Error(`PORT: ${JSON.stringify(text)} is not a port; give a number from 0 to 65535`);
}

/** Listens on the given port; where none is given, on the first free one from 3000 on. `taken`: the default port, if it wasn't free. */
export async function listen(server: Server, given: number | undefined): Promise<{ port: number; taken?: number }> {
  const first = given ?? DEFAULT_PORT;
  const last = given ?? DEFAULT_PORT + TRIES - 1;
  for (let port = first; ; port++) {
    try {
      const listening = await listenOn(server, port);
      return { port: listening, ...(port > first && { taken: first }) };
    } catch (error) {
      if (!isTaken(error)) throw error;
      if (port === last) throw new Error(`${error.message}; set PORT to another port, or to 0 for any that is free`);
    }
  }
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => {
      server.off("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : port);
    });
  });
}

function isTaken(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

/**
 * Whether a request was sent by a program of this machine to this machine: not through a proxy, and not from a page of another
 * host whose name leads here (DNS rebinding).
 */
export function isFromThisMachine(c: Context): boolean {
  const { address = "" } = getConnInfo(c).remote;
  const isLoopback = /^(?:::ffff:)?127\.|^::1$/.test(address);
  const isLocalName = ["localhost", "127.0.0.1", "[::1]"].includes(new URL(c.req.url).hostname);
  return isLoopback && isLocalName && !["forwarded", "x-forwarded-for", "via"].some((name) => c.req.header(name));
}
