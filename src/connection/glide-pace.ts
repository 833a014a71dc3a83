import type { Address } from "../core/location.js";

/** No TCP connection goes to this address: systems refuse to try, and nothing leaves the machine. */
const NOWHERE: [string, number] = ["255.255.255.255", 1];
/** GLIDE opens two connections at a time to a node. */
const TOGETHER_MS = 20;
/** To one node: as many pairs of connections at once, and then one each so many milliseconds. */
const BURST = 4;
const REFILL_MS = 1_400;

/**
 * Limits how often a cluster client connects to a node, and ends that with the client. A cluster client that has lost its
 * nodes looks for them without a pause, and goes on after `close()` for as long as the process lives; but it asks for each
 * node's address each time.
 */
export class Pace {
  readonly #nodes = new Map<string, Node>();
  #isClosed = false;

  /** For GLIDE's `addressResolver`, which keeps the server's name for TLS as long as the host is the same. */
  readonly resolve = (host: string, port: number): [string, number] =>
    !this.#isClosed && this.#node({ host, port }).admits(performance.now()) ? [host, port] : NOWHERE;

  close(): void {
    this.#isClosed = true;
  }

  #node({ host, port }: Address): Node {
    const key = `${host} ${port}`;
    const node = this.#nodes.get(key) ?? new Node();
    this.#nodes.set(key, node);
    return node;
  }
}

class Node {
  #left = BURST;
  #refilledMs = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  admits(nowMs: number): boolean {
    if (nowMs - this.#lastMs < TOGETHER_MS) return true;
    const refills = Math.floor((nowMs - this.#refilledMs) / REFILL_MS);
    if (refills > 0) {
      this.#left = Math.min(BURST, this.#left + refills);
      this.#refilledMs += refills * REFILL_MS;
    }
    if (this.#left === 0) return false;
    this.#left--;
    this.#lastMs = nowMs;
    return true;
  }
}
