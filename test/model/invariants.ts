import { LEASE, NOW_MS, TICK_MS, WAIT } from "./protocol.js";
import { isPlaceholder, type Outcome, same, tokenOf, UNREADABLE } from "./server.js";
import { type Caller, type Message, ownerOf, type World } from "./world.js";

/** What must hold in every run. The promises of docs/herd.md have the same names. */
export const INVARIANTS = {
  "one lease": "at most one lease on an entry is valid at a time",
  "one load": "one load at a time while the holder is alive and its lease undisturbed",
  "no resurrection": "a value loaded before a delete or another write is never stored after it",
  "no lost update": "an older value is never stored over a newer one",
  "token needed": "a script without the entry's token changes nothing and replies 0",
  "stored once": "a repeated publish stores nothing twice",
  "own claim": "a caller recognises its own claim, and never waits for itself",
  "no orphan": "a lost message is retried once, and leaves no lease without a holder",
  "replaced holder": "a lease that is not renewed ends within its term",
  "kept entry": "an entry stays as long as its lease is valid",
  "freed at once": "a free key is claimed by the first that asks",
  "given up": "a lease that is given up is free",
  pause: "nothing is claimed in the pause after a failed load",
  "bounded wait": "no caller waits longer than its limit and one command",
  "no dead end": "no state is a dead end",
} as const;

export type InvariantName = keyof typeof INVARIANTS;

export class Violation extends Error {
  readonly invariant: InvariantName;

  constructor(invariant: InvariantName) {
    super(INVARIANTS[invariant]);
    this.invariant = invariant;
  }
}

/** Whether the server has given the lease to the one who sent the message. */
export function claims({ operation }: Pick<Message, "operation">, { reply }: Outcome): boolean {
  if (operation === "readOrClaim") return reply === null;
  return (operation === "claim" || operation === "seize") && reply === 1;
}

/** Checks the invariants, or one of them alone. */
export class Invariants {
  readonly #only: InvariantName | undefined;

  constructor(only?: InvariantName) {
    this.#only = only;
  }

  /** Checks one command that the server has run. @throws {Violation} */
  afterCommand(world: World, number: number, message: Message, outcome: Outcome): void {
    const { kept, callers } = world;
    const { operation, token } = message;
    const { reply, entry } = outcome;
    const before = tokenOf(kept.entry);
    const bit = 1 << token;
    if (operation === "readOrClaim") {
      this.#check("freed at once", kept.entry !== undefined || (reply === null && tokenOf(entry) === token));
      if (kept.entry) this.#check("token needed", same(entry, kept.entry));
    } else if (operation === "claim") {
      this.#afterClaim(world, message, outcome);
    } else if (operation === "seize") {
      const isUnreadable = kept.entry?.text === UNREADABLE;
      this.#check("freed at once", !isUnreadable || tokenOf(entry) === token);
      this.#check("token needed", isUnreadable || (reply === 0 && same(entry, kept.entry)));
    } else {
      if (before !== token) this.#check("token needed", reply === 0 && same(entry, kept.entry));
      if (operation === "yield" || operation === "drop") this.#check("given up", tokenOf(entry) !== token);
    }
    if (claims(message, outcome)) {
      const { lease } = kept;
      this.#check("one lease", lease === undefined || lease.token === token);
      this.#check("one load", !callers.some((other, index) => index !== number && loadsUndisturbed(other)));
    }
    if (operation === "publish" && reply === 1) {
      this.#check("no resurrection", (kept.deleted & bit) === 0);
      this.#check("no lost update", (kept.superseded & bit) === 0);
      this.#check("stored once", (kept.stored & bit) === 0);
    }
    if (operation === "renew" && reply === 1) {
      this.#check("kept entry", entry !== undefined && entry.expiresAtMs >= NOW_MS + LEASE * TICK_MS);
    }
  }

  #afterClaim({ kept }: World, { freshUntilMs }: Message, { reply }: Outcome): void {
    const { entry, lease, pause } = kept;
    if (reply === 1) {
      this.#check("pause", pause === 0);
      return;
    }
    const isAsRead = entry && !isPlaceholder(entry) && Number(entry.text.slice(4, 19)) === freshUntilMs;
    this.#check("freed at once", !isAsRead || lease !== undefined || pause > 0);
  }

  /** Checks one state. @throws {Violation} */
  ofState({ kept, callers, uncertain }: World): void {
    const { entry, lease } = kept;
    const token = tokenOf(entry);
    const isUncertain = (uncertain & (1 << token)) !== 0;
    const leftMs = (lease?.left ?? 0) * TICK_MS;
    if (lease) this.#check("kept entry", entry !== undefined && token === lease.token);
    if (entry && token >= 0) {
      const endMs = isPlaceholder(entry) ? entry.expiresAtMs : Number(entry.text.slice(41, 56));
      this.#check("replaced holder", endMs <= NOW_MS + leftMs);
    }
    for (const [number, caller] of callers.entries()) {
      const isOwn = token >= 0 && ownerOf(token) === number;
      this.#check("own claim", !(caller.state === "waiting" && isOwn && token === caller.token && !isUncertain));
      if (isOwn && lease) this.#check("no orphan", isUncertain || isHolding(caller, token));
      this.#check("bounded wait", caller.sinceWait <= WAIT + 1);
    }
  }

  /** Checks how many steps are possible in a state. @throws {Violation} */
  ofSteps(count: number): void {
    this.#check("no dead end", count > 0);
  }

  #check(invariant: InvariantName, holds: boolean): void {
    if (!holds && (this.#only ?? invariant) === invariant) throw new Violation(invariant);
  }
}

function loadsUndisturbed({ state, isFrozen, isDisturbed }: Caller): boolean {
  return state === "loading" && !isFrozen && !isDisturbed;
}

/** Whether a caller still works with this token, or can't work at all. */
function isHolding({ state, token: current, strays }: Caller, token: number): boolean {
  if (state === "crashed") return true;
  if (token === current) return state !== "answered" && state !== "idle" && state !== "waiting";
  return strays.some((stray) => stray.token === token);
}
