import { describe, expect, it } from "vitest";
import type { Script } from "../../src/core/connection.js";
import { CLAIM, RENEW, YIELD } from "../../src/lease/scripts.js";
import { explore } from "./explore.js";
import { INVARIANTS, type InvariantName } from "./invariants.js";
import { PROTOCOL, type Protocol } from "./protocol.js";
import { type Bounds, starts } from "./starts.js";

/** How many faults one run has at most. With `MODEL_FAULTS=2` the check takes minutes. */
const FAULTS = Number(process.env.MODEL_FAULTS ?? 1);
const TIMEOUT_MS = FAULTS > 1 ? 3_600_000 : 120_000;

const NOTHING = { faults: FAULTS, writes: 0, failovers: 0 };

const CHECKS: readonly (Bounds & { readonly name: string })[] = [
  { name: "three callers", skews: [0, 0, 0], ...NOTHING },
  { name: "three callers whose clocks differ", skews: [0, 1, -1], ...NOTHING, faults: FAULTS - 1 },
  { name: "three callers, and a delete or a write", skews: [0, 0, 0], ...NOTHING, faults: FAULTS - 1, writes: 1 },
  { name: "two callers whose clocks differ", skews: [1, -1], ...NOTHING },
  { name: "two callers, and a delete or a write", skews: [0, 0], ...NOTHING, writes: 1 },
  {
    name: "two callers, a delete or a write, and a failover",
    skews: [0, 0],
    ...NOTHING,
    faults: FAULTS - 1,
    writes: 1,
    failovers: 1,
  },
];

describe("every interleaving keeps every invariant", () => {
  it.each(CHECKS)("of $name", { timeout: TIMEOUT_MS }, ({ name, ...bounds }) => {
    const { states, depth, violation } = explore(PROTOCOL, starts(bounds));
    expect(violation).toBeUndefined();
    console.info(`${name}: ${states.toLocaleString("en")} states, depth ${depth}`);
  });
});

/** A script with a token check that always succeeds: it runs with the token that the entry has. */
function withoutTokenCheck(script: Script): Script {
  return {
    ...script,
    twin: (call, [key = ""], [, ...args]) => {
      const head = call("GETRANGE", key, "29", "40");
      return script.twin(call, [key], [head instanceof Uint8Array ? head : "", ...args]);
    },
  };
}

/** A claim that does not look whether the lease is held, or was given up a moment ago. */
const RECKLESS_CLAIM: Script = {
  ...CLAIM,
  twin: (call, [key = ""], args) => {
    if (call("EXISTS", key) === 1) call("SETRANGE", key, "41", "0".repeat(15));
    return CLAIM.twin(call, [key], args);
  },
};

/** A renewal that replies 1 and extends nothing. */
const IDLE_RENEW: Script = { ...RENEW, twin: () => 1 };

/** A yield that replies 1 and leaves the lease as it is. */
const IDLE_YIELD: Script = { ...YIELD, twin: () => 1 };

const BOUNDS: Bounds = { skews: [0, 0], faults: 1, writes: 1, failovers: 0 };

interface Mutation {
  readonly name: string;
  readonly mutation: Partial<Protocol>;
  readonly invariant: InvariantName;
}

const MUTATIONS: readonly Mutation[] = [
  {
    name: "a publish that ignores the token",
    mutation: { publish: withoutTokenCheck(PROTOCOL.publish) },
    invariant: "needsToken",
  },
  {
    name: "a publish that ignores the token",
    mutation: { publish: withoutTokenCheck(PROTOCOL.publish) },
    invariant: "notOlder",
  },
  {
    name: "a publish that ignores the token",
    mutation: { publish: withoutTokenCheck(PROTOCOL.publish) },
    invariant: "notAfterDelete",
  },
  {
    name: "a renewal that ignores the token",
    mutation: { renew: withoutTokenCheck(PROTOCOL.renew) },
    invariant: "needsToken",
  },
  { name: "a delete that does not end the lease", mutation: { deleteEndsLease: false }, invariant: "notAfterDelete" },
  { name: "a command that is not retried", mutation: { retries: false }, invariant: "noOrphan" },
  {
    name: "a command that is retried after its deadline",
    mutation: { retriesAfterDeadline: true },
    invariant: "notAfterDelete",
  },
  { name: "a caller that ignores its own token", mutation: { recognisesOwnToken: false }, invariant: "ownClaim" },
  { name: "a claim of a lease that is held", mutation: { claim: RECKLESS_CLAIM }, invariant: "oneLease" },
  { name: "a claim of a lease that is held", mutation: { claim: RECKLESS_CLAIM }, invariant: "oneLoad" },
  { name: "a claim in the pause", mutation: { claim: RECKLESS_CLAIM }, invariant: "pause" },
  { name: "a claim that never succeeds", mutation: { claim: { ...CLAIM, twin: () => 0 } }, invariant: "freeIsClaimed" },
  { name: "a renewal that extends nothing", mutation: { renew: IDLE_RENEW }, invariant: "keepsEntry" },
  { name: "a yield that changes nothing", mutation: { yield: IDLE_YIELD }, invariant: "givenUp" },
  { name: "a placeholder that does not expire", mutation: { placeholderExpires: false }, invariant: "replaced" },
  { name: "a wait without a limit", mutation: { limitsWait: false }, invariant: "boundedWait" },
];

describe("an invariant catches each mutation of the protocol", () => {
  it.each(MUTATIONS)("$name: $invariant", { timeout: TIMEOUT_MS }, ({ mutation, invariant }) => {
    const { violation } = explore({ ...PROTOCOL, ...mutation }, starts(BOUNDS), invariant);
    expect(violation?.steps, INVARIANTS[invariant]).not.toEqual([]);
    expect(violation?.invariant).toBe(invariant);
  });
});
