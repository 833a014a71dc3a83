import { type Entry, type Request, tickEntry, tickMoment, tokenOf } from "./server.js";

/** A caller's tokens are numbered from this times its own number. One that nothing holds any more is used again. */
const TOKENS_PER_CALLER = 6;
const MAX_AGE = 1;

/** A request of a caller, and how far it has got. */
export interface Message {
  readonly operation: Request["operation"];
  readonly token: number;
  readonly freshUntilMs: number;
  /** Whether it is the retry. */
  readonly isRetry: boolean;
  /** In ticks since it was sent. */
  readonly age: number;
  /** `undefined` until the server has run it. */
  readonly reply: { readonly value: string | number | null } | undefined;
}

/** As in the diagram of docs/herd.md. Loading has three steps here: the loader, then `publish` or `yield`. */
export type State =
  | "idle"
  | "lookup"
  | "waiting"
  | "claiming"
  | "seizing"
  | "loading"
  | "publishing"
  | "yielding"
  | "answered"
  | "crashed";

export interface Caller {
  readonly state: State;
  readonly isFrozen: boolean;
  /** How far its clock is ahead of the server's, in ticks. */
  readonly skew: number;
  /** The token of its last claim. */
  readonly token: number;
  /** The command of its call; one at a time. */
  readonly message: Message | undefined;
  readonly renewal: Message | undefined;
  /** Requests that it has given up, and that the server may still run at any time. */
  readonly strays: readonly Message[];
  /** Whether it has found that its lease is lost. */
  readonly knowsLoss: boolean;
  readonly restarted: boolean;
  /** Whether another caller's load has made it wait, and for how many ticks by its own account. */
  readonly waited: number;
  readonly hasLooked: boolean;

  /** What only the invariants know: how long it has waited, and whether a fault or a write has disturbed its lease. */
  readonly sinceWait: number;
  readonly isDisturbed: boolean;
}

/** What the server keeps, and what the invariants know of it. A failover brings an earlier one back. */
export interface Kept {
  readonly entry: Entry | undefined;
  /** The lease that was given out last and not ended since, and the ticks that are left of it. */
  readonly lease: { readonly token: number; readonly left: number } | undefined;
  /** Ticks that are left of the pause after a failed load. */
  readonly pause: number;
  /** Sets of tokens, as bits: whose load began before a delete, began before another value was stored, was stored. */
  readonly deleted: number;
  readonly superseded: number;
  readonly stored: number;
}

export interface World {
  readonly kept: Kept;
  /** What a replica has; `undefined` until it has copied something. */
  readonly replica: Kept | undefined;
  readonly callers: readonly Caller[];
  /** Tokens, as bits, of which no caller can know whether the server has them: a command failed, or a failover came. */
  readonly uncertain: number;
  /** How many faults, writes by others, and failovers may still happen. */
  readonly faults: number;
  readonly writes: number;
  readonly failovers: number;
}

export const EMPTY: Kept = { entry: undefined, lease: undefined, pause: 0, deleted: 0, superseded: 0, stored: 0 };

export function newCaller(skew: number, number: number): Caller {
  return {
    state: "idle",
    isFrozen: false,
    skew,
    token: number * TOKENS_PER_CALLER,
    message: undefined,
    renewal: undefined,
    strays: [],
    knowsLoss: false,
    restarted: false,
    waited: -1,
    hasLooked: false,
    sinceWait: -1,
    isDisturbed: false,
  };
}

export function ownerOf(token: number): number {
  return Math.floor(token / TOKENS_PER_CALLER);
}

/** Whether a caller's load under this token has begun, and may still be stored. */
export function mayPublish({ state, token: current, strays }: Caller, token: number): boolean {
  if (token === current && (state === "loading" || state === "publishing")) return true;
  return strays.some((stray) => stray.token === token && stray.operation === "publish");
}

/** The bits of all tokens of which `mayPublish` holds. */
export function loadsUnderWay(callers: readonly Caller[]): number {
  let bits = 0;
  for (const caller of callers) {
    const { token, strays } = caller;
    for (const one of [token, ...strays.map((stray) => stray.token)]) if (mayPublish(caller, one)) bits |= 1 << one;
  }
  return bits;
}

/** A token of a caller that nothing holds. */
export function freeToken({ kept, replica, callers }: World, number: number): number {
  const caller = callers[number];
  const used = new Set([tokenOf(kept.entry), tokenOf(replica?.entry), kept.lease?.token, replica?.lease?.token]);
  for (const { token } of caller?.strays ?? []) used.add(token);
  for (let token = number * TOKENS_PER_CALLER; ownerOf(token) === number; token++) if (!used.has(token)) return token;
  throw new Error("the model has too few tokens for a caller");
}

export function tickKept(kept: Kept): Kept {
  const { lease, pause } = kept;
  return {
    ...kept,
    entry: tickEntry(kept.entry),
    lease: lease && lease.left > 1 ? { ...lease, left: lease.left - 1 } : undefined,
    pause: Math.max(0, pause - 1),
  };
}

export function tickMessage(message: Message | undefined): Message | undefined {
  if (!message) return undefined;
  const age = Math.min(MAX_AGE, message.age + 1);
  const reply = message.reply && { value: tickReply(message.reply.value) };
  return { ...message, age, freshUntilMs: tickMoment(message.freshUntilMs), reply };
}

/** A reply that is an entry. Its moments move with the clock, as `NOW_MS` stays. */
function tickReply(value: string | number | null): string | number | null {
  return typeof value === "string" ? (tickEntry({ text: value, expiresAtMs: Infinity })?.text ?? null) : value;
}

/** A text that is the same for two worlds that differ only in the order of their callers and in the names of tokens. */
export function encode(world: World): string {
  const { kept, replica, callers, faults, writes, failovers } = world;
  const texts = callers.map((caller, number) => encodeCaller(caller, number, world));
  texts.sort();
  return `${faults}${writes}${failovers}${encodeKept(kept)}${replica ? encodeKept(replica) : "-"}/${texts.join("/")}`;
}

function encodeKept({ entry, lease, pause }: Kept): string {
  const stored = entry ? `${entry.text.slice(4, 19)}${entry.text.slice(41)}${entry.expiresAtMs}` : "";
  return `[${stored}${tokenOf(entry) < 0 ? "" : "t"},${lease?.left},${pause}]`;
}

const STATES: Readonly<Record<State, string>> = {
  idle: "i",
  lookup: "r",
  waiting: "w",
  claiming: "c",
  seizing: "s",
  loading: "l",
  publishing: "p",
  yielding: "y",
  answered: "a",
  crashed: "x",
};

function encodeCaller(caller: Caller, number: number, { kept, replica, uncertain }: World): string {
  const { state, skew, message, renewal, strays, waited, sinceWait } = caller;
  const flags =
    (caller.isFrozen ? 1 : 0) +
    (caller.knowsLoss ? 2 : 0) +
    (caller.restarted ? 4 : 0) +
    (caller.hasLooked ? 8 : 0) +
    (caller.isDisturbed ? 16 : 0);
  const messages = [message, renewal, ...strays].map((one) => encodeMessage(one, caller)).join();
  const tokens =
    encodeTokens(number, caller, kept, uncertain) +
    (replica ? `;${encodeTokens(number, caller, replica, uncertain)}` : "");
  return `${STATES[state]}${skew}.${flags}.${waited}.${sinceWait}:${messages}:${tokens}`;
}

function encodeMessage(message: Message | undefined, caller: Caller): string {
  if (!message) return "";
  const { operation, token, freshUntilMs, isRetry, age, reply } = message;
  const current = token === caller.token ? "" : `#${token - ownerOf(token) * TOKENS_PER_CALLER}`;
  const value = reply === undefined ? "" : `=${encodeReply(reply.value, caller.token)}`;
  return `${operation}${current}${isRetry ? "'" : ""}${age}${freshUntilMs || ""}${value}`;
}

/** A caller looks at the token in an entry only to see whether it is its own. */
function encodeReply(value: string | number | null, token: number): string {
  if (typeof value !== "string") return String(value);
  const isOwn = Number(value.slice(29, 41)) === token;
  return value.slice(4, 19) + (isOwn ? "o" : "") + value.slice(41);
}

/** Which tokens of a caller the server has, and what the invariants know of them. */
function encodeTokens(number: number, caller: Caller, kept: Kept, uncertain: number): string {
  const { entry, lease, deleted, superseded, stored } = kept;
  const current = caller.token;
  const first = number * TOKENS_PER_CALLER;
  let text = "";
  for (let token = first; token < first + TOKENS_PER_CALLER; token++) {
    const bit = 1 << token;
    const name = token === current ? "*" : String(token - first);
    if (tokenOf(entry) === token) text += `e${name}`;
    if (lease?.token === token) text += `l${name}`;
    if (uncertain & bit && isInUse(caller, token, entry)) text += `q${name}`;
    if (!mayPublish(caller, token)) continue;
    if (deleted & bit) text += `d${name}`;
    if (superseded & bit) text += `u${name}`;
    if (stored & bit) text += `s${name}`;
  }
  return text;
}

function isInUse({ token: current, strays }: Caller, token: number, entry: Entry | undefined): boolean {
  return token === current || tokenOf(entry) === token || strays.some((stray) => stray.token === token);
}
