import fc from "fast-check";
import { LRUCache } from "lru-cache";
import { describe, expect, it } from "vitest";
import { Elapsed } from "../../src/near/elapsed.js";
import type { Source } from "../../src/near/source.js";
import { type Mark, NearStore, type StoreLimits } from "../../src/near/store.js";

// The real store between a server and those who read and write. Commands reach the server, and replies come back, in any
// order, as over several connections. What the listener receives comes in the order of the changes, late.

const MAX_STALENESS_MS = 100;
const LIMITS: StoreLimits = {
  maxSize: 1_000_000,
  maxEntries: 0,
  ttlMs: Number.POSITIVE_INFINITY,
  maxStalenessMs: MAX_STALENESS_MS,
  weight: 1,
};

/** What a variant of the rules does wrong. */
interface Variant {
  readonly store?: new (...args: ConstructorParameters<typeof NearStore>) => NearStore;
  /** A reply is kept under whatever listener is there when it arrives. */
  readonly keepsUnderAny?: boolean;
  /** Any message of the server proves that it is there. */
  readonly trustsMessages?: boolean;
  /** An answer to a heartbeat proves the moment when it arrives, not when it was asked for. */
  readonly trustsArrival?: boolean;
}

/** A value that was written, and when it was replaced. */
interface Written {
  readonly version: number;
  replacedMs: number;
  /** The listener was notified of its end. */
  isHeard: boolean;
}

type Message =
  | { readonly kind: "changed"; readonly version: number }
  | { readonly kind: "other" }
  | { readonly kind: "beat"; readonly askedMs: number };

const WEIGHTS = {
  read: 4,
  "own write": 3,
  "foreign write": 2,
  "write of another key": 1,
  serve: 4,
  reply: 4,
  hear: 3,
  ask: 2,
  wait: 2,
  lose: 2,
  connect: 2,
};
type Name = keyof typeof WEIGHTS;
const NAMES = Object.entries(WEIGHTS).flatMap(([name, weight]) => Array<Name>(weight).fill(name as Name));

/** What happens, and to which of the commands on their way. */
const STEPS = fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.nat(3)), { minLength: 1, maxLength: 40, size: "max" });
type Steps = readonly (readonly [Name, number])[];

/** Takes one out of several. */
function take<T>(some: T[], which: number): T | undefined {
  return some.splice(some.length > 0 ? which % some.length : 0, 1)[0];
}

/** Runs steps. @returns what was broken, in words; `undefined` when nothing was */
function run(steps: Steps, variant: Variant = {}): string | undefined {
  let nowMs = 0;
  const time = new Elapsed(() => {}, { monotonic: () => nowMs, wall: () => nowMs });
  const store = new (variant.store ?? NearStore)(LIMITS, time);
  store.open(LRUCache);

  // The server.
  const history: Written[] = [{ version: 0, replacedMs: Number.POSITIVE_INFINITY, isHeard: false }];
  const current = (): number => history.length - 1;
  /** What the listener has not read yet. Changes of a time without a listener are in it for nobody. */
  let channel: Message[] = [];
  let source: Source | undefined;
  const write = (): number => {
    const old = history[current()];
    if (old) old.replacedMs = nowMs;
    history.push({ version: history.length, replacedMs: Number.POSITIVE_INFINITY, isHeard: false });
    if (source) channel.push({ kind: "changed", version: current() - 1 });
    return current();
  };

  // Commands on their way to the server, and those that it has run.
  type Sent =
    | { readonly kind: "read"; readonly mark: Mark | undefined; readonly sentMs: number; value: number }
    | { readonly kind: "write"; value: number };
  const sent: Sent[] = [];
  const served: Sent[] = [];
  /** The least version that a read may answer from now on, as this process has written it. */
  let ownVersion = 0;

  for (const [name, which] of [["connect", 0], ...steps] as const) {
    switch (name) {
      case "read": {
        const known = store.recall("a");
        if (known === undefined) {
          sent.push({ kind: "read", mark: source && store.mark("a", source), sentMs: time.now(), value: -1 });
          break;
        }
        const entry = history[Number(known.stored)];
        if (!entry) return `a value that was never written: ${String(known.stored)}`;
        if (entry.version < ownVersion) return "a value from before an own write";
        if (entry.isHeard) return "a value of whose end was heard";
        if (nowMs - entry.replacedMs >= MAX_STALENESS_MS) return "a value that ended too long ago";
        break;
      }
      case "own write":
        store.beginWrite("a");
        sent.push({ kind: "write", value: -1 });
        break;
      case "serve": {
        const one = take(sent, which);
        if (!one) break;
        one.value = one.kind === "write" ? write() : current();
        served.push(one);
        break;
      }
      case "reply": {
        const one = take(served, which);
        if (one?.kind === "write") {
          store.endWrite("a");
          ownVersion = Math.max(ownVersion, one.value);
        } else if (one?.mark) {
          const mark = variant.keepsUnderAny && source ? { ...one.mark, source } : one.mark;
          store.keep(mark, String(one.value), Number.POSITIVE_INFINITY, one.sentMs);
          store.release(one.mark);
        }
        break;
      }
      case "foreign write":
        write();
        break;
      case "write of another key":
        if (source) channel.push({ kind: "other" });
        break;
      case "ask":
        if (source) channel.push({ kind: "beat", askedMs: time.now() });
        break;
      case "hear": {
        const message = channel.shift();
        if (!message || !source) break;
        if (message.kind === "changed") {
          for (const entry of history.slice(0, message.version + 1)) entry.isHeard = true;
          store.drop("a");
        } else if (message.kind === "beat") {
          source.confirmedMs = variant.trustsArrival ? time.now() : message.askedMs;
        }
        if (variant.trustsMessages) source.confirmedMs = time.now();
        break;
      }
      case "lose":
        if (source) source.isOver = true;
        source = undefined;
        channel = [];
        break;
      case "connect":
        source ??= { confirmedMs: time.now(), generation: 0, isOver: false };
        break;
      case "wait":
        nowMs += MAX_STALENESS_MS * 0.6;
        break;
    }
  }
  return undefined;
}

/** The shortest order that was found in which a variant breaks a promise; `undefined` where there was none. */
function breaking(variant: Variant, promise: string): Steps | undefined {
  const { counterexample } = fc.check(
    fc.property(STEPS, (steps) => run(steps, variant) !== promise),
    { numRuns: 200_000, seed: 17 },
  );
  return counterexample?.[0];
}

/** Changes end no marks. */
class WithoutMarks extends NearStore {
  override mark(key: string, source: Source): Mark | undefined {
    const mark = super.mark(key, source);
    return mark && { ...mark, isValid: true };
  }
}

/** Own writes are like anybody's: only the server tells of them. */
class WithoutOwnWrites extends NearStore {
  override beginWrite(): void {}
  override endWrite(): void {}
}

describe("whatever the order of replies, invalidations, heartbeats, writes and losses", () => {
  it("no read answers what it must not", () => {
    fc.assert(
      fc.property(STEPS, (steps) => {
        expect(run(steps)).toBeUndefined();
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("the model finds an order that breaks a promise", () => {
  it.each([
    ["changes end no marks", { store: WithoutMarks }, "a value of whose end was heard"],
    ["own writes are left to the server", { store: WithoutOwnWrites }, "a value from before an own write"],
    ["replies are kept under another listener", { keepsUnderAny: true }, "a value that ended too long ago"],
    ["any message is taken for a proof", { trustsMessages: true }, "a value that ended too long ago"],
    ["an answer proves the moment when it arrives", { trustsArrival: true }, "a value that ended too long ago"],
  ] satisfies [string, Variant, string][])("where %s", (_name, variant, promise) => {
    const steps = breaking(variant, promise);
    expect(steps && run(steps, variant)).toBe(promise);
    expect(steps && run(steps)).toBeUndefined();
  });
});
