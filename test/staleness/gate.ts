import { connect, createServer, type Server, type Socket } from "node:net";
import { HOST, listenAnywhere } from "../support/ports.js";

/** Connections that hear of changes, those that carry commands, or both. */
export type Traffic = "listeners" | "commands" | "all";

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  isListener: boolean;
}

/** One process's way to one server. It can hold traffic back, which arrives later, in contrast to what a proxy drops. */
export class Gate implements AsyncDisposable {
  readonly #pairs = new Set<Pair>();
  readonly #listener: Server;
  port = 0;

  private constructor(target: number) {
    this.#listener = createServer({ noDelay: true }, (client) => this.#take(client, target));
  }

  static async open(target: number): Promise<Gate> {
    const gate = new Gate(target);
    gate.port = await listenAnywhere(gate.#listener);
    return gate;
  }

  get address(): string {
    return `${HOST}:${this.port}`;
  }

  /** Holds back what connections that are open now send and receive. @returns what lets it through */
  freeze(traffic: Traffic): () => void {
    const frozen = this.#of(traffic);
    for (const { client, server } of frozen) {
      client.pause();
      server.pause();
    }
    return () => {
      for (const { client, server } of frozen) {
        client.resume();
        server.resume();
      }
    };
  }

  cut(traffic: Traffic): void {
    for (const { client, server } of this.#of(traffic)) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut("all");
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  #of(traffic: Traffic): Pair[] {
    return [...this.#pairs].filter(({ isListener }) => traffic === "all" || (traffic === "listeners") === isListener);
  }

  #take(client: Socket, target: number): void {
    const server = connect({ host: HOST, port: target, noDelay: true });
    const pair: Pair = { client, server, isListener: false };
    this.#pairs.add(pair);
    client.on("data", (bytes) => {
      if (!pair.isListener) pair.isListener = bytes.includes("TRACKING") || bytes.includes("SUBSCRIBE");
      server.write(bytes);
    });
    server.on("data", (bytes) => client.write(bytes));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one
        .on("error", () => {})
        .once("close", () => {
          this.#pairs.delete(pair);
          other.destroy();
        });
    }
  }
}
