import fc from "fast-check";
import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { keyChecks, ownChecks, type WithOwnOptions } from "../../src/cache/arguments.js";
import { StoredKey } from "../../src/core/key.js";
import { createCache, EncodeError, KeyNotFoundError, memory } from "../../src/index.js";
import {
  call,
  METHODS,
  type MethodName,
  NOT_OPTIONS,
  type Unlike,
  type WithoutOptions,
  WRONG_OPTIONS,
} from "../contract/cache/method-arguments.js";
import { watched } from "../support/watched.js";

const NAMES = Object.keys(METHODS) as MethodName[];
/** These return no promise, so they throw. */
const THROWING: ReadonlySet<MethodName> = new Set(["for", "namespace", "on", "makeKey", "makePattern"]);

const isTypeError = (error: unknown): boolean => error instanceof TypeError;
/** Values that can't be stored have an error of their own. */
const isRefusal = (error: unknown): boolean => isTypeError(error) || error instanceof EncodeError;

/** What a loader returns is known only when it has run. */
const isOfLoader = (error: unknown): boolean => /^TypeError: loader: it returned .*; return a Map/.test(String(error));

const WITHOUT_OPTIONS: ReadonlySet<MethodName> = new Set<WithoutOptions>(["flush", "health", "namespace", "on"]);
const checksOf = (name: MethodName): Readonly<Record<string, unknown>> | undefined =>
  hasOptions(name) ? (ownChecks[name as WithOwnOptions] ?? keyChecks) : undefined;
const hasOptions = (name: MethodName): name is Exclude<MethodName, WithoutOptions> => !WITHOUT_OPTIONS.has(name);
const validArgs = (name: MethodName): unknown[] => METHODS[name].map(([valid]) => valid);

/** What a call ends with, and how many round trips it took. */
async function outcome(name: MethodName, args: readonly unknown[]) {
  const { factory, roundTrips } = watched(memory());
  // Errors of the caller are not ignored.
  const cache = createCache({ location: "memory:", connectionFactory: factory, ignoreErrors: true });
  let result: unknown;
  try {
    result = call(cache, name, args);
  } catch (error) {
    return { error, thrown: true, sent: roundTrips.length };
  }
  try {
    await result;
    return { error: undefined, thrown: false, sent: roundTrips.length };
  } catch (error) {
    return { error, thrown: false, sent: roundTrips.length };
  }
}

async function refused(
  name: MethodName,
  args: readonly unknown[],
  says: RegExp,
  kind: (error: unknown) => boolean = isTypeError,
): Promise<void> {
  const { error, thrown, sent } = await outcome(name, args);
  const what = `${name}(${args.map((arg) => fc.stringify(arg)).join(", ")})`;
  expect(error, what).toBeInstanceOf(Error);
  expect(kind(error), `${what}: ${error}`).toBe(true);
  const { message } = error as Error;
  expect(message, what).toMatch(says);
  expect(message, `${what} has a remedy`).toMatch(/; (?:.*\b(?:give|store|leave))|known options are/);
  expect(sent, `${what} sends nothing`).toBe(0);
  expect(thrown, `${what} rejects where it returns a promise`).toBe(THROWING.has(name));
}

const escaped = (name: string): string => name.replace(".", "\\.");

describe("every method", () => {
  it("is checked against the options that it has", () => {
    expectTypeOf<Unlike>().toEqualTypeOf<never>();
  });

  it.each(NAMES)("accepts arguments that are in order: %s", async (name) => {
    for (const args of [validArgs(name), ...(checksOf(name) ? [[...validArgs(name), {}]] : [])]) {
      const { error } = await outcome(name, [...args, undefined]);
      expect(error === undefined || error instanceof KeyNotFoundError, `${error}`).toBe(true);
    }
  });

  it.each(NAMES)("refuses each wrong argument before any I/O: %s", async (name) => {
    for (const [i, [, { wrong, says }]] of METHODS[name].entries()) {
      for (const value of wrong) {
        await refused(name, validArgs(name).with(i, value), says, isRefusal);
      }
    }
  });

  it.each(NAMES)("refuses what is no options in their place, before any I/O: %s", async (name) => {
    for (const value of NOT_OPTIONS)
      await refused(name, [...validArgs(name), value], new RegExp(`^${escaped(name)}: `));
    if (!checksOf(name))
      await refused(name, [...validArgs(name), { ttl: 5 }], new RegExp(`^${name}: it has no options`));
  });

  it.each(NAMES.filter(checksOf))("refuses an unknown option before any I/O: %s", async (name) => {
    for (const unknown of ["tttl", "EX", "constructor", "__proto", "toString", "onprogres", ""]) {
      const says = new RegExp(`^${escaped(name)}: unknown option "${unknown}"; known options are: `);
      await refused(name, [...validArgs(name), { [unknown]: 5 }], says);
    }
    for (const option of Object.keys(WRONG_OPTIONS).filter((one) => !Object.hasOwn(checksOf(name) ?? {}, one))) {
      const says = new RegExp(`^${escaped(name)}: unknown option "${option}"; known options are: `);
      await refused(name, [...validArgs(name), { [option]: undefined }], says);
    }
  });

  it.each(NAMES.filter(checksOf))("refuses each option that is wrong, before any I/O: %s", async (name) => {
    for (const option of Object.keys(checksOf(name) ?? {}) as (keyof typeof WRONG_OPTIONS)[]) {
      const says = new RegExp(`\\b${/^version/.test(option) ? "version" : option}\\b`);
      for (const value of WRONG_OPTIONS[option]) {
        await refused(name, [...validArgs(name), { [option]: value }], says);
      }
      const { error } = await outcome(name, [...validArgs(name), { [option]: undefined }]);
      expect(error === undefined || error instanceof KeyNotFoundError, `${name}: ${option}: ${error}`).toBe(true);
    }
  });

  it("refuses a wrong option that the others leave without effect", async () => {
    await refused("incr", ["n", 1, { ttl: "soon" }], /^ttl: /);
    await refused(
      "sets.unionStore",
      ["t", ["s"], { version: "1", versionDestination: 1, versionKeys: 1 }],
      /^version: /,
    );
    for (const name of ["getMany", "mget", "deleteMany", "expireSoftMany"] as const)
      await refused(name, [[], { version: "1" }], /^version: /);
    await refused("getOrSetMany", [[], () => ({}), { version: "1" }], /^version: /);
    for (const name of ["setMany", "mset"] as const) await refused(name, [{}, { prefix: 5 }], /^prefix: /);
  });
});

describe("an option", () => {
  it("that is unknown is shown with the known ones, at most 200 characters of it all", async () => {
    for (const given of ["tttl", "TTL", "timeToLive", "x".repeat(1_000_000)]) {
      const { error } = await outcome("set", ["a", 1, { [given]: 5 }]);
      expect(String(error)).toMatch(/known options are: version, prefix, ttl, tags, nx, xx$/);
      expect(String(error).length).toBeLessThan(200);
    }
  });

  it("gets a message that says what it is, and what to give", async () => {
    const messages = {
      60: "set: options are 60; give an object such as { ttl: 60 }",
      "5m": 'set: options are "5m"; give an object such as { ttl: 60 }',
    };
    for (const [given, message] of Object.entries(messages)) {
      const { error } = await outcome("set", ["a", 1, given === "60" ? 60 : given]);
      expect(error).toEqual(new TypeError(message));
    }
    const flag = await outcome("set", ["a", 1, { nx: "yes" }]);
    expect(flag.error).toEqual(new TypeError('set: option "nx" is "yes"; give true or false'));
  });

  it("may be in an object of any class, or of none", async () => {
    class Options {
      ttl = 60;
    }
    const none = Object.assign(Object.create(null), { ttl: 60 });
    for (const options of [new Options(), none, Object.freeze({ ttl: 60 })]) {
      expect((await outcome("set", ["a", 1, options])).error).toBeUndefined();
    }
  });

  it("is not what other code gave to all objects", async () => {
    Object.defineProperty(Object.prototype, "extension", {
      value: 1,
      enumerable: true,
      configurable: true,
      writable: true,
    });
    try {
      expect((await outcome("set", ["a", 1, { ttl: 60 }])).error).toBeUndefined();
    } finally {
      Reflect.deleteProperty(Object.prototype, "extension");
    }
    await refused("set", ["a", 1, { extension: 1 }], /unknown option "extension"/);
    await refused("set", ["a", 1, Object.create({ ttl: 60 })], /^set: option "ttl" is inherited/);
  });
});

describe("a signal", () => {
  it("may be of another realm, such as a request's where a browser is simulated", async () => {
    const { signal } = new AbortController();
    vi.stubGlobal("AbortSignal", class AbortSignal extends EventTarget {});
    for (const [name, args] of [
      ["for", []],
      ["lock", ["a"]],
      ["getOrSet", ["a", () => 1]],
    ] as const) {
      expect((await outcome(name, [...args, { signal }])).error).toBeUndefined();
    }
  });
});

describe("a record of a hash", () => {
  it("is followed by options, and by nothing else", async () => {
    await refused("hashes.set", ["h", { f: 1 }, { ttl: 5 }], /^hashes\.set: unknown option "ttl"/);
    await refused("hashes.set", ["h", { f: 1 }, 60], /^hashes\.set: options are 60/);
    await refused("hashes.set", ["h", { f: 1 }, null], /^hashes\.set: options are null/);
    await refused("hashes.set", ["h", { f: 1 }, undefined, {}], /^hashes\.set: there is an argument after the options/);
    expect((await outcome("hashes.set", ["h", { f: 1 }, { version: 2 }])).error).toBeUndefined();
  });
});

describe("a loader of several keys", () => {
  it.each([[1], [null], [undefined], ["values"], [[1, 2]], [new Set()]])(
    "has to return values by key, not %j",
    async (returned) => {
      const { error } = await outcome("getOrSetMany", [["a"], () => returned]);
      expect(error).toBeInstanceOf(TypeError);
      expect(isOfLoader(error), `${error}`).toBe(true);
    },
  );
});

describe("a lock", () => {
  it("is extended by a duration above 0 and by nothing else", async () => {
    const { factory, roundTrips } = watched(memory());
    await using cache = createCache({ location: "memory:", connectionFactory: factory });
    await using lock = await cache.lock("a");
    const before = roundTrips.length;
    for (const wrong of [undefined, 0, -1, ...WRONG_OPTIONS.waitTimeout]) {
      const extended = Promise.resolve(lock && Reflect.apply(lock.extend, lock, [wrong]));
      await expect(extended).rejects.toThrow(/^ttl: .*; give /);
    }
    expect(roundTrips).toHaveLength(before);
  });
});

it("random arguments are carried out, or refused before any I/O", async () => {
  const text = fc.constantFrom("a", "b", "0", "*", "hit", "f", "", "5m", ".5s", "-1s", "1.5", "\ud800");
  const junk = fc.oneof(
    text,
    fc.integer({ min: -3, max: 100 }),
    fc.constantFrom(
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -0,
      1e300,
      2 ** 53,
      null,
      undefined,
      true,
      false,
      5n,
      2n ** 64n,
    ),
    fc.constantFrom<unknown>(
      Symbol("a"),
      () => 1,
      () => ({ a: 1 }),
      new Date(),
      new Date(Number.NaN),
      new StoredKey("a"),
    ),
    fc.constantFrom<unknown>(new AbortController().signal, new Map([["a", 1]]), new Set(["a"]), Promise.resolve(), /a/),
    fc.array(fc.oneof(text, fc.constantFrom<unknown>(5, null, undefined, ["a", 1], {})), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "", "__proto__", "constructor"), fc.oneof(text, fc.constant(undefined))),
    fc.dictionary(
      fc.constantFrom(...Object.keys(WRONG_OPTIONS), "tttl"),
      fc.oneof(
        text,
        fc.constantFrom<unknown>(0, 1, -1, null, true, undefined, () => 1, {}, 2.5),
      ),
      { maxKeys: 3 },
    ),
  );
  // Valid arguments first, so that what follows them is reached.
  const calls = fc
    .constantFrom(...NAMES)
    .chain((name) =>
      fc.tuple(fc.constant(name), fc.nat({ max: METHODS[name].length }), fc.array(junk, { maxLength: 4 })),
    );
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  try {
    await fc.assert(
      fc.asyncProperty(calls, async ([name, count, rest]) => {
        const { error, thrown, sent } = await outcome(name, [...validArgs(name).slice(0, count), ...rest]);
        if (error === undefined || error instanceof KeyNotFoundError || isOfLoader(error)) return;
        expect(isRefusal(error), `${error}`).toBe(true);
        expect(String(error)).toMatch(/^(?:Type|Encode)Error: (?:.*[:;] |nx and xx)/);
        expect(sent).toBe(0);
        expect(thrown).toBe(THROWING.has(name));
      }),
      { numRuns: 3_000 },
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
  } finally {
    process.off("unhandledRejection", note);
  }
});
