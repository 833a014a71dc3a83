import { createServer, type Server } from "node:net";

export const HOST = "127.0.0.1";

/**
 * Below the ports of outgoing connections (from 32768 on). No outgoing connection takes such a port while its server is
 * down, and a client that dials it can't be connected to itself.
 */
const LOWEST = 15_000;
const HIGHEST = 31_999;

/** A port on which no process listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenAnywhere(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Listens on a free port and returns its number. */
export async function listenAnywhere(server: Server): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1));
    try {
      await listen(server, port);
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}

export function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
