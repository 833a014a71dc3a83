import { connect, createServer, type Socket } from "node:net";
import { HOST, listenAnywhere } from "../support/ports.js";

export interface ListenerProxy extends AsyncDisposable {
  readonly port: number;
  /** Listeners have no answers from now on, and new ones neither. */
  hang(): void;
  /** Nothing that is sent to listeners is read any more. */
  stall(): void;
  /** All goes on, with new connections. */
  heal(): void;
}

/** Greets as listeners do. The clients of the cache's commands don't, if they are iovalkey's. */
const GREETING = /HELLO\r\n\$1\r\n3\r\n/;

/** A proxy that disturbs connections that listen for changes, and no others. */
export async function startListenerProxy(target: number): Promise<ListenerProxy> {
  const listeners = new Set<Socket>();
  const all = new Set<Socket>();
  let isHanging = false;
  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect({ host: HOST, port: target, noDelay: true });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      all.add(one);
      one
        .on("error", () => {})
        .once("close", () => {
          all.delete(one);
          listeners.delete(one);
          other.destroy();
        });
    }
    const isListener = () => listeners.has(server);
    client.on("data", (bytes) => {
      if (GREETING.test(bytes.toString("latin1"))) listeners.add(server);
      if (!(isHanging && isListener())) server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (!(isHanging && isListener())) client.write(bytes);
    });
  });
  const port = await listenAnywhere(listener);
  return {
    port,
    hang() {
      isHanging = true;
    },
    stall() {
      for (const server of listeners) server.pause();
    },
    heal() {
      isHanging = false;
      for (const server of listeners) server.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of all) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
