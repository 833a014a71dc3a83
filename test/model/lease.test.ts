import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { PUBLISH_RESPONSE as HTTP_SCRIPT } from "../../src/http/scripts.js";
import { explore } from "./explore.js";
import { INVARIANTS, type InvariantName } from "./invariants.js";
import { CLAIM, type ModelScript, PROTOCOL, type Protocol, RENEW, SEIZE, withTwin, YIELD } from "./protocol.js";
import { type Bounds, starts } from "./starts.js";

/** How many faults one run has at most. With `MODEL_FAULTS=2` the check takes minutes. */
const FAULTS = Number(process.env.MODEL_FAULTS ?? 1);
const TIMEOUT_MS = FAULTS > 1 ? 3_600_000 : 120_000;

const DOCS = new URL("../../docs/herd.md", import.meta.url);

const ONLY_FAULTS = { faults: FAULTS, writes: 0, failovers: 0 };

const PUBLISH_RESPONSE = withTwin(HTTP_SCRIPT);

/** The script that stores a response, for a URL without variants. */
const HTTP_PUBLISH: ModelScript = {
  ...PUBLISH_RESPONSE,
  twin: (call, [key = ""], [token = "", ...record]) =>
    PUBLISH_RESPONSE.twin(call, [key, key, key], [token, "", "", ...record]),
};

const CHECKS: readonly (Bounds & { readonly name: string; readonly publish?: ModelScript })[] = [
  { name: "three callers", skews: [0, 0, 0], ...ONLY_FAULTS },
  {
    name: "three callers that publish as the HTTP cache does",
    skews: [0, 0, 0],
    ...ONLY_FAULTS,
    publish: HTTP_PUBLISH,
  },
  { name: "three callers whose clocks differ", skews: [0, 1, -1], ...ONLY_FAULTS, faults: FAULTS - 1 },
  { name: "three callers, and a delete or a write", skews: [0, 0, 0], ...ONLY_FAULTS, faults: FAULTS - 1, writes: 1 },
  { name: "two callers whose clocks differ", skews: [1, -1], ...ONLY_FAULTS },
  { name: "two callers, and a delete or a write", skews: [0, 0], ...ONLY_FAULTS, writes: 1 },
  {
    name: "two callers, a delete or a write, and a failover",
    skews: [0, 0],
    ...ONLY_FAULTS,
    faults: FAULTS - 1,
    writes: 1,
    failovers: 1,
  },
];

describe("every interleaving keeps every invariant", () => {
  it.each(CHECKS)("of $name", { timeout: TIMEOUT_MS }, async ({ name, publish, ...bounds }) => {
    const protocol = publish ? { ...PROTOCOL, publish } : PROTOCOL;
    const { states, depth, violation } = explore(protocol, starts(bounds));
    expect(violation).toBeUndefined();
    console.info(`${name}: ${states.toLocaleString("en")} states, depth ${depth}`);
    if (FAULTS > 1) return;
    const { faults, writes, failovers } = bounds;
    const row = [name, faults, writes, failovers, states.toLocaleString("en"), depth];
    expect(await readFile(DOCS, "utf8")).toContain(`| ${row.join(" | ")} |`);
  });
});

it("each promise of docs/herd.md is an invariant of the same name", async () => {
  const [, promises = ""] = (await readFile(DOCS, "utf8")).split("## Promises\n");
  const [promised = ""] = promises.split("\nNot promised:\n");
  const names = [...promised.matchAll(/^- \*\*(.+?)\*\*:/gm)].map(([, name = ""]) => name);
  expect(names).toHaveLength(7);
  expect(Object.keys(INVARIANTS)).toEqual(expect.arrayContaining(names));
});

/** A script with a token check that always succeeds: it runs with the token that the entry has. */
function withoutTokenCheck(script: ModelScript): ModelScript {
  return {
    ...script,
    twin: (call, [key = ""], [, ...args]) => {
      const head = call("GETRANGE", key, "29", "40");
      return script.twin(call, [key], [head instanceof Uint8Array ? head : "", ...args]);
    },
  };
}

/** A claim that does not look whether the lease is held, or was given up a moment ago. */
const RECKLESS_CLAIM: ModelScript = {
  ...CLAIM,
  twin: (call, [key = ""], args) => {
    if (call("EXISTS", key) === 1) call("SETRANGE", key, "41", "0".repeat(15));
    return CLAIM.twin(call, [key], args);
  },
};

/** A seizure that does not look whether the entry is still the unreadable one. */
const RECKLESS_SEIZE: ModelScript = {
  ...SEIZE,
  twin: (call, [key = ""], [, placeholder = "", leaseMs = ""]) => {
    call("SET", key, placeholder, "PX", leaseMs);
    return 1;
  },
};

/** A renewal that replies 1 and extends nothing. */
const IDLE_RENEW: ModelScript = { ...RENEW, twin: () => 1 };

/** A yield that replies 1 and leaves the lease as it is. */
const IDLE_YIELD: ModelScript = { ...YIELD, twin: () => 1 };

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
    invariant: "token needed",
  },
  {
    name: "a publish that ignores the token",
    mutation: { publish: withoutTokenCheck(PROTOCOL.publish) },
    invariant: "no lost update",
  },
  {
    name: "a publish that ignores the token",
    mutation: { publish: withoutTokenCheck(PROTOCOL.publish) },
    invariant: "no resurrection",
  },
  {
    name: "a publish that ignores the token",
    mutation: { publish: withoutTokenCheck(PROTOCOL.publish) },
    invariant: "stored once",
  },
  { name: "a seizure of any entry", mutation: { seize: RECKLESS_SEIZE }, invariant: "token needed" },
  { name: "a seizure of any entry", mutation: { seize: RECKLESS_SEIZE }, invariant: "one lease" },
  {
    name: "a renewal that ignores the token",
    mutation: { renew: withoutTokenCheck(PROTOCOL.renew) },
    invariant: "token needed",
  },
  { name: "a delete that does not end the lease", mutation: { deleteEndsLease: false }, invariant: "no resurrection" },
  { name: "a command that is not retried", mutation: { retries: false }, invariant: "no orphan" },
  {
    name: "a command that is retried after its deadline",
    mutation: { retriesAfterDeadline: true },
    invariant: "no resurrection",
  },
  { name: "a caller that ignores its own token", mutation: { recognisesOwnToken: false }, invariant: "own claim" },
  { name: "a claim of a lease that is held", mutation: { claim: RECKLESS_CLAIM }, invariant: "one lease" },
  { name: "a claim of a lease that is held", mutation: { claim: RECKLESS_CLAIM }, invariant: "one load" },
  { name: "a claim in the pause", mutation: { claim: RECKLESS_CLAIM }, invariant: "pause" },
  { name: "a claim that never succeeds", mutation: { claim: { ...CLAIM, twin: () => 0 } }, invariant: "freed at once" },
  { name: "a renewal that extends nothing", mutation: { renew: IDLE_RENEW }, invariant: "kept entry" },
  { name: "a yield that changes nothing", mutation: { yield: IDLE_YIELD }, invariant: "given up" },
  { name: "a placeholder that does not expire", mutation: { placeholderExpires: false }, invariant: "replaced holder" },
  { name: "a wait without a limit", mutation: { limitsWait: false }, invariant: "bounded wait" },
];

describe("an invariant catches each mutation of the protocol", () => {
  it.each(MUTATIONS)("$name: $invariant", { timeout: TIMEOUT_MS }, ({ mutation, invariant }) => {
    const { violation } = explore({ ...PROTOCOL, ...mutation }, starts(BOUNDS), invariant);
    expect(violation?.steps, INVARIANTS[invariant]).not.toEqual([]);
    expect(violation?.invariant).toBe(invariant);
  });
});
