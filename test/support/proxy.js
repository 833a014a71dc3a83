import { createServer } from "node:net";
import { HOST, listen, listenAnywhere } from "./ports.js";
import { relay } from "./relay.js";
/** Starts what stands between clients and a server, and does to their traffic what networks do. */
export async function startProxy({ host = HOST, port }) {
    const proxy = new TcpProxy({ host, port });
    await proxy.start();
    return proxy;
}
export class TcpProxy {
    host = HOST;
    port = 0;
    /** Connections taken since the start. */
    accepted = 0;
    /** Times that clients spoke: all that a client sends on a connection until the server answers counts once. */
    roundTrips = 0;
    #target;
    #faults = { paused: false, delayMs: 0, throttled: false };
    #clients = new Set();
    #listener;
    constructor(target) {
        this.#target = target;
        this.#listener = this.#newListener();
    }
    get url() {
        return `valkey://${this.host}:${this.port}`;
    }
    /** Connections open now. */
    get connections() {
        return this.#clients.size;
    }
    async start() {
        this.port = await listenAnywhere(this.#listener);
    }
    /** From now on, what either side sends is lost; connections stay open, and new ones are still taken. */
    pause() {
        this.#faults.paused = true;
    }
    /** Passes on again what comes from now on. */
    resume() {
        this.#faults.paused = false;
    }
    /** Holds back, from now on, all that either side sends; 0 ends it. */
    delay(ms) {
        this.#faults.delayMs = ms;
    }
    /** Passes everything on one byte at a time, or no longer. */
    throttle(on = true) {
        this.#faults.throttled = on;
    }
    /** Resets every connection, as a crashed host does. */
    reset() {
        for (const client of this.#clients)
            client.resetAndDestroy();
    }
    /** Takes no more connections: they are refused. Those that are open stay. */
    refuse() {
        this.#listener.close();
    }
    /** Takes connections again, on the same port. */
    async accept() {
        this.#listener = this.#newListener();
        await listen(this.#listener, this.port);
    }
    async close() {
        this.reset();
        const listener = this.#listener;
        if (listener.listening)
            await new Promise((resolve) => listener.close(resolve));
    }
    [Symbol.asyncDispose]() {
        return this.close();
    }
    #newListener() {
        return createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#take(client));
    }
    #take(client) {
        this.accepted += 1;
        this.#clients.add(client);
        client.once("close", () => this.#clients.delete(client));
        const onClientTurn = () => {
            this.roundTrips += 1;
        };
        relay(client, { ...this.#target, faults: this.#faults, onClientTurn });
    }
}
