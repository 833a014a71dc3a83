import { NO_TOKEN, placeholder, seal } from "../../src/codec/envelope.js";
import { Bulk } from "../../src/connection/memory/bulk.js";
import { run } from "../../src/connection/memory/commands.js";
import { Store } from "../../src/connection/memory/store.js";
import type { Argument, Call, Command, Reply } from "../../src/core/connection.js";
import { systemClock } from "../../src/core/time.js";
import { claimCommand } from "../../src/lease/read-or-claim.js";
import { digits } from "../../src/lease/state.js";
import { GRACE, LEASE, NOW_MS, PAUSE, type Protocol, TICK_MS, TTL } from "./protocol.js";

const KEY = "k";
const LEASE_MS = LEASE * TICK_MS;
/** Moments longer ago than this are all alike to the protocol. */
const OLDEST_MS = NOW_MS - 4 * TICK_MS;

/** The entry as it is stored: an envelope around one character, or a placeholder. */
export interface Entry {
  readonly text: string;
  readonly expiresAtMs: number;
}

/** A command on its way, with what its arguments depend on. */
export interface Request {
  readonly operation: "readOrClaim" | "claim" | "seize" | "publish" | "renew" | "yield" | "drop";
  readonly token: number;
  /** For `claim`: the entry's expiry as the caller read it. */
  readonly freshUntilMs: number;
  /** The caller's clock when the request was sent. */
  readonly sentMs: number;
}

export interface Outcome {
  readonly reply: string | number | null;
  readonly entry: Entry | undefined;
}

/** Runs the protocol's commands and the twins of its scripts in the store of the memory transport. */
export class Server {
  readonly #protocol: Protocol;
  readonly #store = new Store({ ...systemClock, now: () => NOW_MS }, { maxSize: 1_000_000, maxEntries: 1_000 });
  readonly #call: Call = (...command) => run(this.#store, command, false);
  readonly #outcomes = new Map<string, Outcome>();

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
    this.#store.tick();
  }

  execute(entry: Entry | undefined, request: Request): Outcome {
    const { operation, token, freshUntilMs, sentMs } = request;
    const id = `${entry?.text}|${entry?.expiresAtMs}|${operation}|${token}|${freshUntilMs}|${sentMs}`;
    const known = this.#outcomes.get(id);
    if (known) return known;
    this.#store.clear();
    if (entry) this.#store.put(KEY, Bulk.from(entry.text), entry.expiresAtMs);
    const reply = this.#run(request);
    const outcome = { reply: plain(reply), entry: this.#entry() };
    this.#outcomes.set(id, outcome);
    return outcome;
  }

  #run({ operation, token, freshUntilMs, sentMs }: Request): Reply {
    const word = tokenText(token);
    switch (operation) {
      case "readOrClaim":
        return run(this.#store, this.#readOrClaim(word, sentMs), true);
      case "claim":
        return this.#script("claim", [digits(freshUntilMs), word, String(LEASE_MS), ""]);
      case "seize":
        return this.#script("seize", [UNREADABLE, placeholder(word, sentMs + LEASE_MS), String(LEASE_MS)]);
      case "publish":
        return this.#script("publish", [word, value(sentMs + TTL * TICK_MS), String((TTL + GRACE) * TICK_MS)]);
      case "renew":
        return this.#script("renew", [word, String(LEASE_MS)]);
      case "yield":
        return this.#script("yield", [word, String(PAUSE * TICK_MS), String(GRACE * TICK_MS)]);
      case "drop":
        return this.#script("drop", [word]);
    }
  }

  #readOrClaim(token: string, nowMs: number): Command {
    const command = claimCommand(KEY, token, LEASE_MS, nowMs);
    if (this.#protocol.placeholderExpires) return command;
    const [name, ...args] = command;
    return [name, ...args.slice(0, -1), String(1_000 * LEASE_MS)];
  }

  #script(name: "claim" | "seize" | "publish" | "renew" | "yield" | "drop", args: readonly Argument[]): Reply {
    return this.#protocol[name].twin(this.#call, [KEY], args);
  }

  #entry(): Entry | undefined {
    const text = run(this.#store, ["GET", KEY], true);
    if (typeof text !== "string") return undefined;
    return { text, expiresAtMs: Number(run(this.#store, ["PEXPIRETIME", KEY], true)) };
  }
}

/** An entry whose header is broken. */
export const UNREADABLE = "\x11V1broken";

/** A value without a lease. */
export function value(freshUntilMs: number): string {
  return String(seal({ freshUntilMs, deltaMs: 0, token: NO_TOKEN, leaseUntilMs: 0 }, "J", "v"));
}

/** The entry one tick later, as `NOW_MS` stays: every moment in it is a tick nearer, or a tick longer ago. */
export function tickEntry(entry: Entry | undefined): Entry | undefined {
  if (!entry) return undefined;
  const { text } = entry;
  const expiresAtMs = entry.expiresAtMs - TICK_MS;
  if (expiresAtMs < NOW_MS) return undefined;
  if (text === UNREADABLE) return { text, expiresAtMs };
  const freshUntil = digits(tickMoment(Number(text.slice(4, 19))));
  const leaseUntil = digits(tickMoment(Number(text.slice(41, 56))));
  return { text: text.slice(0, 4) + freshUntil + text.slice(19, 41) + leaseUntil + text.slice(56), expiresAtMs };
}

export function tickMoment(ms: number): number {
  return ms === 0 ? 0 : Math.max(OLDEST_MS, ms - TICK_MS);
}

/** The token of the lease on an entry; -1 where there is none. */
export function tokenOf(entry: Entry | undefined): number {
  const token = entry?.text.slice(29, 41) || NO_TOKEN;
  return token === NO_TOKEN ? -1 : Number(token);
}

export function isPlaceholder(entry: Entry): boolean {
  return entry.text.length === 56;
}

export function same(a: Entry | undefined, b: Entry | undefined): boolean {
  return a?.text === b?.text && a?.expiresAtMs === b?.expiresAtMs;
}

function tokenText(token: number): string {
  return String(token).padStart(12, "0");
}

function plain(reply: Reply): string | number | null {
  if (reply === null || typeof reply === "string" || typeof reply === "number") return reply;
  throw new Error(`a script of the model replied ${String(reply)}`);
}
