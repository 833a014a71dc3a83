import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect, isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import { afterAll, describe, expect, it } from "vitest";
import { type Cache, createCache, EncodeError, herd, json, type Serializer } from "../../src/index.js";
import { msgpack } from "../../src/serializers/msgpack.js";
import { structuredClone } from "../../src/serializers/structured-clone.js";
import { root } from "../support/project.js";

/** What a value is when it is read: itself, nothing as the write was refused, or another value, which the text describes. */
type Outcome = "same" | "refused" | { readonly text: string; readonly value: unknown };

/** One outcome, or two where a whole value and a value inside an object differ. */
type Outcomes = Outcome | readonly [whole: Outcome, nested: Outcome];

interface Row {
  readonly name: string;
  readonly values: () => readonly unknown[];
  readonly json: Outcomes;
  readonly msgpack: Outcomes;
  readonly structuredClone: Outcomes;
}

class Place {
  id = 1;
}

class Secret {
  #value = 1;
  get value(): number {
    return this.#value;
  }
}

class Money {
  cents = 5;
  toJSON(): string {
    return "0.05";
  }
}

const becomes = (text: string, value: unknown): Outcome => ({ text, value });
const LEFT_OUT = becomes("left out", undefined);
const NULL = becomes("`null`", null);

function loop(): object {
  const value: Record<string, unknown> = {};
  value.self = value;
  return value;
}

/** One row for each kind of value. docs/values.md has the same table. */
const ROWS: readonly Row[] = [
  row("`null`, booleans", () => [null, true, false], "same", "same", "same"),
  row("`undefined`", () => [undefined], ["refused", LEFT_OUT], ["refused", NULL], ["refused", "same"]),
  row("finite numbers", () => [0, 5, 1.5, -(2 ** 40), 2 ** 53, 1e300], "same", "same", "same"),
  row("`-0`", () => [-0], ["same", becomes("`0`", 0)], ["same", becomes("`0`", 0)], "same"),
  row("`NaN`, `Infinity`", () => [Number.NaN, Infinity, -Infinity], ["refused", NULL], "same", "same"),
  row("bigints within ±2^53", () => [0n, 5n, -5n, 2n ** 53n - 1n], "refused", "same", "same"),
  row(
    "larger bigints of up to 64 bits",
    () => [2n ** 53n, -(2n ** 63n), 2n ** 64n - 1n],
    ["same", "refused"],
    "same",
    "same",
  ),
  row("longer bigints", () => [2n ** 64n, -(2n ** 100n)], ["same", "refused"], ["same", "refused"], "same"),
  row("strings", () => ["", "a", "12", "nan", "Zürich 🏙", "\0"], "same", "same", "same"),
  row("strings with half of a surrogate pair", () => ["x\ud83d", "\ude00"], "same", "refused", "same"),
  row("plain objects, arrays", () => [{}, { a: [1, { b: null }] }, [], [[]]], "same", "same", "same"),
  row(
    "objects without a prototype, or of another realm",
    () => [Object.create(null), runInNewContext("({})")],
    ...each(becomes("a plain object", {})),
  ),
  row("keys with half of a surrogate pair", () => [{ "\ud83d": 1 }], "same", "refused", "same"),
  row("the key `__proto__`", () => [JSON.parse('{"__proto__":1}')], "same", "refused", "same"),
  row("keys that are symbols", () => [{ [Symbol("s")]: 1, a: 1 }], ...each(becomes("left out", { a: 1 }))),
  row(
    "`undefined` and holes in arrays",
    () => [[undefined, 1], Object.assign(new Array(2), { 1: 1 })],
    becomes("`null`", [null, 1]),
    becomes("`null`", [null, 1]),
    "same",
  ),
  row("`Date`", () => [new Date(0)], becomes("its ISO text", "1970-01-01T00:00:00.000Z"), "same", "same"),
  row("invalid `Date`", () => [new Date(Number.NaN)], NULL, "refused", "same"),
  row("`Map`, `Set`", () => [new Map([["a", 1]]), new Set([1]), new Map(), new Set()], "refused", "refused", "same"),
  row("`RegExp`", () => [/x/gi], "refused", "refused", "same"),
  row("`Error`", () => [new RangeError("x", { cause: 1 })], "refused", "refused", "same"),
  row(
    "`Error` with fields of its own",
    () => [Object.assign(new Error("x"), { stack: "s", code: 1 })],
    ["refused", becomes("a plain object of them", { code: 1 })],
    "refused",
    becomes("an `Error` without them", Object.assign(new Error("x"), { stack: "s" })),
  ),
  row(
    "`Map` with fields of its own",
    () => [Object.assign(new Map([["a", 1]]), { id: 1 })],
    ["refused", becomes("a plain object of them", { id: 1 })],
    "refused",
    becomes("a `Map` without them", new Map([["a", 1]])),
  ),
  row("`Uint8Array`", () => [new Uint8Array([1, 2]), new Uint8Array()], "refused", "same", "same"),
  row("`Buffer`", () => [Buffer.from([1, 2])], "refused", becomes("a `Uint8Array`", new Uint8Array([1, 2])), "same"),
  row(
    "other typed arrays, `ArrayBuffer`",
    () => [new Float64Array([1.5]), new BigInt64Array([1n]), new ArrayBuffer(2)],
    "refused",
    "refused",
    "same",
  ),
  row("instances with fields", () => [new Place()], ...each(becomes("a plain object of them", { id: 1 }))),
  row(
    "instances with `toJSON()` and fields",
    () => [new Money()],
    becomes("its result", "0.05"),
    becomes("its result", "0.05"),
    becomes("a plain object of the fields", { cents: 5 }),
  ),
  row(
    "`URL`",
    () => [new URL("http://a/")],
    becomes("its text", "http://a/"),
    becomes("its text", "http://a/"),
    "refused",
  ),
  row(
    "instances without fields of their own",
    () => [new Secret(), new (class Empty {})(), Object.create({ a: 1 })],
    ...each("refused"),
  ),
  row(
    "`Response`, `Request`, `Headers`, `FormData`, `URLSearchParams`",
    () => [new Response("x"), new Request("http://a"), new Headers(), new FormData(), new URLSearchParams("a=1")],
    ...each("refused"),
  ),
  row("`Blob`, streams", () => [new Blob(["x"]), new ReadableStream(), new WritableStream()], ...each("refused")),
  row(
    "promises, iterators, generators",
    () => [Promise.resolve(1), [1].values(), new Map().entries(), (function* () {})()],
    ...each("refused"),
  ),
  row("`WeakMap`, `WeakSet`, `WeakRef`", () => [new WeakMap(), new WeakSet(), new WeakRef({})], ...each("refused")),
  row("`new String()`", () => [new String("")], becomes("a string", ""), "refused", "same"),
  row("`new Number()`", () => [new Number(0)], ["refused", becomes("a number", 0)], "refused", "same"),
  row("functions, symbols", () => [() => 1, Symbol("s")], ["refused", LEFT_OUT], "refused", "refused"),
  row("objects that refer to themselves", () => [loop()], "refused", "refused", "same"),
];

function row(
  name: string,
  values: () => readonly unknown[],
  ...[ofJson, ofMsgpack, ofClone]: readonly [Outcomes, Outcomes, Outcomes]
): Row {
  return { name, values, json: ofJson, msgpack: ofMsgpack, structuredClone: ofClone };
}

function each(outcome: Outcome): [Outcome, Outcome, Outcome] {
  return [outcome, outcome, outcome];
}

const isPair = (outcomes: Outcomes): outcomes is readonly [Outcome, Outcome] => Array.isArray(outcomes);

const SERIALIZERS: readonly (readonly ["json" | "msgpack" | "structuredClone", Serializer])[] = [
  ["json", json()],
  ["msgpack", msgpack()],
  ["structuredClone", structuredClone()],
];

const caches: Cache[] = [];
afterAll(() => Promise.all(caches.map((cache) => cache.close())));

describe.each(SERIALIZERS)("with %s(), a value comes back as docs/values.md says:", (name, serializer) => {
  const cache = createCache({ location: "memory:", keyPrefix: name, serializer });
  const herded = createCache({ location: "memory:", keyPrefix: name, serializer, client: herd() });
  caches.push(cache, herded);

  it.each(ROWS)("$name", async (row) => {
    const outcomes = row[name];
    const [whole, nested] = isPair(outcomes) ? outcomes : [outcomes, outcomes];
    for (const value of row.values()) {
      await check(whole, value, value, (read) => read);
      await check(nested, { a: value }, value, (read) => (read as { a: unknown }).a);
      await check(nested, { list: [{ a: value }] }, value, (read) => (read as { list: [{ a: unknown }] }).list[0].a);
    }
  });

  async function check(
    outcome: Outcome,
    stored: unknown,
    value: unknown,
    part: (read: unknown) => unknown,
  ): Promise<void> {
    await cache.delete("k");
    const error: unknown = await cache.set("k", stored).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    if (outcome === "refused") {
      // The whole value undefined is a wrong argument, whatever the serializer.
      expect(error).toBeInstanceOf(stored === undefined ? TypeError : EncodeError);
      expect(String(error)).toMatch(/key ".*k": /);
      expect(await cache.has("k")).toBe(false);
      return;
    }
    expect(error).toBeUndefined();
    const read = part(await cache.get("k"));
    if (outcome === "same") expect(isDeepStrictEqual(read, value), String(read)).toBe(true);
    else expect(read).toStrictEqual(outcome.value);
    for (const answering of [cache, herded]) {
      await answering.delete("k");
      const first = part(await answering.getOrSet("k", () => stored));
      expect(isDeepStrictEqual(first, read), `first ${inspect(first)}, then ${inspect(read)}`).toBe(true);
      await answering.delete("k");
      const ofMany = part((await answering.getOrSetMany(["k"], () => new Map([["k", stored]]))).get("k"));
      expect(isDeepStrictEqual(ofMany, read)).toBe(true);
      const unstored = part(
        await answering.getOrSet("other", ({ doNotStore }) => {
          doNotStore();
          return stored;
        }),
      );
      expect(isDeepStrictEqual(unstored, read)).toBe(true);
    }
  }
});

it("docs/values.md has the table of what comes back", () => {
  const cell = (outcomes: Outcomes): string => {
    const text = (outcome: Outcome) => (typeof outcome === "string" ? outcome : outcome.text);
    return isPair(outcomes) ? `${text(outcomes[0])}; inside a value ${text(outcomes[1])}` : text(outcomes);
  };
  const lines = ROWS.map((row) => `| ${[row.name, ...SERIALIZERS.map(([name]) => cell(row[name]))].join(" | ")} |`);
  const page = readFileSync(join(root, "docs", "values.md"), "utf8");
  const table = ["| value | `json()` | `msgpack()` | `structuredClone()` |", "|---|---|---|---|", ...lines].join("\n");
  expect(page.split("<!-- table -->\n")[1]?.split("\n<!-- /table -->")[0]).toBe(table);
});
