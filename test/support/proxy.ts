import { createServer, type Server, type Socket } from "node:net";
import { HOST, listen, listenAnywhere } from "./ports.js";
import { type Faults, relay } from "./relay.js";

export interface ProxyTarget {
  /** @default "127.0.0.1" */
  host?: string;
  port: number;
}

/** Starts what stands between clients and a server, and does to their traffic what networks do. */
export async function startProxy({ host = HOST, port }: ProxyTarget): Promise<TcpProxy> {
  const proxy = new TcpProxy({ host, port });
  await proxy.start();
  return proxy;
}

export class TcpProxy implements AsyncDisposable {
  readonly host = HOST;
  port = 0;
  /** Connections taken since the start. */
  accepted = 0;
  /** Times that clients spoke: all that a client sends on a connection until the server answers counts once. */
  roundTrips = 0;
  readonly #target: Required<ProxyTarget>;
  #faults: Faults = { paused: false, delayMs: 0, throttled: false };
  readonly #clients = new Set<Socket>();
  #listener: Server;

  constructor(target: Required<ProxyTarget>) {
    this.#target = target;
    this.#listener = this.#newListener();
  }

  get url(): string {
    return `valkey://${this.host}:${this.port}`;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#clients.size;
  }

  async start(): Promise<void> {
    this.port = await listenAnywhere(this.#listener);
  }

  /** From now on, what either side sends is lost; connections stay open, and new ones are still taken. */
  pause(): void {
    this.#faults.paused = true;
  }

  /** Passes on again what comes from now on. */
  resume(): void {
    this.#faults.paused = false;
  }

  /**
   * Loses for ever what goes over connections that are open now, as a NAT does that forgot them; new ones work.
   * @returns what resets those, as systems do in the end
   */
  strand(): () => void {
    const stranded = [...this.#clients];
    this.#faults.paused = true;
    this.#faults = { ...this.#faults, paused: false };
    return () => {
      for (const client of stranded) client.resetAndDestroy();
    };
  }

  /** Holds back, from now on, all that either side sends; 0 ends it. */
  delay(ms: number): void {
    this.#faults.delayMs = ms;
  }

  /** Passes everything on one byte at a time, or no longer. */
  throttle(on = true): void {
    this.#faults.throttled = on;
  }

  /** Resets every connection, as a crashed host does. */
  reset(): void {
    for (const client of this.#clients) client.resetAndDestroy();
  }

  /** Takes no more connections: they are refused. Those that are open stay. */
  refuse(): void {
    this.#listener.close();
  }

  /** Takes connections again, on the same port. */
  async accept(): Promise<void> {
    this.#listener = this.#newListener();
    await listen(this.#listener, this.port);
  }

  async close(): Promise<void> {
    this.reset();
    const listener = this.#listener;
    if (listener.listening) await new Promise((resolve) => listener.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #newListener(): Server {
    return createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#take(client));
  }

  #take(client: Socket): void {
    this.accepted += 1;
    this.#clients.add(client);
    client.once("close", () => this.#clients.delete(client));
    const onClientTurn = () => {
      this.roundTrips += 1;
    };
    relay(client, { ...this.#target, faults: this.#faults, onClientTurn });
  }
}
