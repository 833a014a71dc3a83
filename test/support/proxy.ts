import { createServer, type Server, type Socket } from "node:net";
import { HOST, listen, listenAnywhere } from "./ports.js";
import { type Faults, relay } from "./relay.js";

export interface ProxyTarget {
  /** @default "127.0.0.1" */
  host?: string;
  port: number;
}

/** Starts a TCP proxy between clients and a server that simulates network faults. */
export async function startProxy({ host = HOST, port }: ProxyTarget): Promise<TcpProxy> {
  const proxy = new TcpProxy({ host, port });
  await proxy.start();
  return proxy;
}

export class TcpProxy implements AsyncDisposable {
  readonly host = HOST;
  port = 0;
  /** Connections accepted since the start. */
  accepted = 0;
  /** Round trips: everything that a client sends on a connection until the server answers counts once. */
  roundTrips = 0;
  readonly #target: Required<ProxyTarget>;
  #faults: Faults = { paused: false, silenced: false, delayMs: 0, throttled: false };
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

  /** Drops all traffic from now on. Connections stay open, and new ones are accepted. */
  pause(): void {
    this.#faults.paused = true;
  }

  /** Drops all replies from now on. The server receives commands, and runs them. */
  silence(): void {
    this.#faults.silenced = true;
  }

  /** Forwards traffic again from now on. */
  resume(): void {
    this.#faults.paused = false;
    this.#faults.silenced = false;
  }

  /**
   * Drops all traffic of the connections that are open now, like a NAT that lost their state. New ones work.
   * @returns a function that resets those connections
   */
  strand(): () => void {
    const stranded = [...this.#clients];
    this.#faults.paused = true;
    this.#faults = { ...this.#faults, paused: false };
    return () => {
      for (const client of stranded) client.resetAndDestroy();
    };
  }

  /** Delays all traffic by so many milliseconds; 0 ends the delay. */
  delay(ms: number): void {
    this.#faults.delayMs = ms;
  }

  /** Turns forwarding of one byte at a time on or off. */
  throttle(on = true): void {
    this.#faults.throttled = on;
  }

  /** Resets every connection, like a crashed host. */
  reset(): void {
    for (const client of this.#clients) client.resetAndDestroy();
  }

  /** Refuses new connections. Open ones stay. */
  refuse(): void {
    this.#listener.close();
  }

  /** Accepts connections again on the same port. */
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
