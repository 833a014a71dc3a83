import fc from "fast-check";
import * as writes from "../../../src/client/entry-scripts.js";
import * as locks from "../../../src/client/lock.js";
import { FOREVER, NO_TOKEN, placeholder, seal } from "../../../src/codec/envelope.js";
import { tagged } from "../../../src/codec/tagged.js";
import type { Argument, Command, Script } from "../../../src/core/connection.js";
import * as leases from "../../../src/lease/scripts.js";

/** Few, so that scripts meet. */
export const KEYS = ["a", "b"] as const;

/** A command that plants something, or a script at work on it. */
export type Step =
  | Command
  | { readonly script: Script; readonly keys: readonly string[]; readonly args: readonly Argument[] };

const TOKENS = ["AAAAAAAAAAAA", "BBBBBBBBBBBB"] as const;
/** One moment for all, so that what is claimed is what was seen. Lifetimes are far enough from it and from each other. */
const NOW_MS = Date.now();
const FRESH = [Math.ceil(NOW_MS / 1_000), NOW_MS - 500_000, NOW_MS + 100_000, NOW_MS + 3_000_000, FOREVER];

const key = fc.constantFrom<string>(...KEYS);
const token = fc.constantFrom(...TOKENS, NO_TOKEN);
const binary = Uint8Array.of(0xff, 0, 0x11, 0x56, 0x31);
const TAGS = String(
  tagged({
    stamp: ["epochABC", 7],
    labels: ["label------1", "label------2"],
    payload: "",
  }),
);
const payload = fc.constantFrom<string | Uint8Array>(
  ...["5", "-7", "007", "1.5", "9223372036854775807", '"text"', "é", "x".repeat(80), ""],
  ...[TAGS, `${TAGS}5`, `${TAGS}"text"`],
  binary,
);
const freshUntilMs = fc.constantFrom(...FRESH);
const leaseUntilMs = fc.constantFrom(0, NOW_MS - 500_000, NOW_MS + 200_000);
const header = fc.record({ freshUntilMs, deltaMs: fc.constantFrom(0, 12_345), token, leaseUntilMs });

const envelope = fc.tuple(header, payload).map(([head, value]) => seal(head, "W", value));
/** Such as a crash, another program or a newer version leaves behind. */
const broken = fc.oneof(
  fc.tuple(envelope, fc.nat(56), fc.constantFrom("2", "x", " ", "\0")).map(([whole, at, char]) => {
    const bytes = Buffer.from(whole);
    bytes.write(char, at, "latin1");
    return bytes;
  }),
  fc.tuple(envelope, fc.nat(60)).map(([whole, length]) => Buffer.from(whole).subarray(0, length)),
  fc.uint8Array({ maxLength: 80 }).map((bytes) => Uint8Array.of(0x11, 0x56, 0x31, ...bytes)),
);
/** A lock, which is held while more than 600,000 ms are left of its key. */
const locked = fc
  .tuple(fc.constantFrom(1, NOW_MS * 1_000, NOW_MS * 1_000 + 600_000_000), fc.constantFrom(...TOKENS))
  .map(([fencing, holder]) => `${fencing} ${holder}`);
const stored = fc.oneof(
  { weight: 4, arbitrary: envelope },
  { weight: 2, arbitrary: token.map((one) => placeholder(one, NOW_MS + 200_000)) },
  { weight: 2, arbitrary: payload },
  { weight: 1, arbitrary: fc.constantFrom(...TOKENS) },
  { weight: 2, arbitrary: locked },
  { weight: 1, arbitrary: broken },
);

const plants: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(key, stored).map(([name, value]): Command => ["SET", name, value, "PX", "900000"]) },
  { weight: 4, arbitrary: fc.tuple(key, stored).map(([name, value]): Command => ["SET", name, value]) },
  { weight: 1, arbitrary: fc.tuple(key, locked).map(([name, value]): Command => ["SET", name, value, "PX", "500000"]) },
  { weight: 1, arbitrary: key.map((name): Command => ["DEL", name]) },
  { weight: 1, arbitrary: key.map((name): Command => ["SADD", name, "member"]) },
);

const ms = (...all: string[]) => fc.constantFrom<Argument>(...all);
const claimer = fc.constantFrom<Argument>(...TOKENS);
const digits = fc.constantFrom<Argument>(...FRESH.map((one) => String(one).padStart(15, "0")), "x");
const value = fc.oneof(payload, envelope);
const lifetime = ms("", "400000");
const judged = ms("", TAGS, TAGS.replace("epoch", "other"));
const delta = fc.constantFrom<Argument>("1", "-3", "9223372036854775807", "-9223372036854775808");
const head = header.map((one) => seal(one, "W", "") as Argument);

/** For each script, the arguments that it may be given. */
const ARGUMENTS: readonly (readonly [Script, ...fc.Arbitrary<Argument>[]])[] = [
  [leases.CLAIM, digits, claimer, ms("50000", "2000000"), ms("", "1")],
  [leases.SEIZE, stored, claimer.map((one) => placeholder(String(one), NOW_MS + 200_000)), ms("50000")],
  [leases.PUBLISH, token, value, lifetime],
  [leases.RENEW, token, ms("50000", "2000000")],
  [leases.DROP, token],
  // Without a grace, what is left of a softly expired entry is the rest of a second, which ends between two looks.
  [leases.YIELD, token, ms("0", "30000"), ms("20000", "60000", "800000")],
  [writes.SET_IF, value, lifetime, ms("nx", "xx"), judged],
  [writes.EXPIRE, ms("in"), ms("300000", "0", "-5"), ms("0", "60000")],
  [writes.EXPIRE, ms("at"), ms(String(NOW_MS + 700_000), "1", "8640000000000000"), ms("0", "60000")],
  [writes.EXPIRE_SOFTLY, ms("W"), ms("", "60000", "800000")],
  [writes.EXPIRE, ms("never")],
  [writes.INCREMENT, delta, ms(""), ms(""), ms(""), judged],
  [writes.INCREMENT, delta, ms("create"), lifetime, fc.oneof(head, ms("")), judged],
  [writes.MOVE, judged],
  [writes.CLEAR_ABSENT],
  [locks.ACQUIRE, claimer, ms("700000", "900000")],
  [locks.EXTEND, claimer, ms("600000", "800000")],
];

const runs = ARGUMENTS.map(([script, ...args]) =>
  fc
    .tuple(key, key, fc.tuple(...args))
    .map(([one, other, given]): Step => ({ script, keys: script === writes.MOVE ? [one, other] : [one], args: given })),
);

/** Scripts, and something for them to work on. */
export const steps: fc.Arbitrary<Step> = fc.oneof({ weight: 8, arbitrary: plants }, ...runs);

export const covered: ReadonlySet<Script> = new Set(ARGUMENTS.map(([script]) => script));
export const all: readonly Script[] = Object.values({ ...leases, ...locks, ...writes }).filter(isScript);

function isScript(exported: unknown): exported is Script {
  return typeof exported === "object" && exported !== null && "twin" in exported;
}
