import fc from "fast-check";
import { Keyv as Keyv5 } from "keyv";
import { jsonSerializer, Keyv as Keyv6 } from "keyv-6";
import { ConfigurationError } from "valkey-edge-cache";
import { fastDeserialize, keyvStore } from "valkey-edge-cache/keyv";
import { describe, expect, inject, it, onTestFinished, vi } from "vitest";

/** The default serializer of each version of Keyv. */
const versions = [
  {
    name: "Keyv 5",
    serialize: (value: unknown) => String(new Keyv5().serialize?.({ value })),
    deserialize: (text: string): unknown => new Keyv5().deserialize?.(text),
  },
  {
    name: "Keyv 6",
    serialize: (value: unknown) => jsonSerializer.stringify({ value }),
    deserialize: (text: string): unknown => jsonSerializer.parse(text),
  },
];

/** Text that Keyv escapes, text that looks like escapes, and other JSON. */
const text = fc.oneof(
  fc.string(),
  fc.constantFrom(
    "",
    ":",
    "::",
    ":a",
    ":base64:YQ==",
    ":bigint:1",
    '":',
    ',":',
    '[":',
    "a:b",
    '{"a":":b"}',
    "__proto__",
  ),
);
const leaf = fc.oneof(
  text,
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
);
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(text, tie("value"), { maxKeys: 4 }),
  ),
}));

describe.each(versions)("fastDeserialize() of the deserializer of $name", ({ serialize, deserialize }) => {
  const fast = fastDeserialize(deserialize);

  it("reads whatever Keyv has written as Keyv does", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const stored = serialize(value);
        expect(fast(stored)).toEqual(deserialize(stored));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '{"value": "::a"}',
    '{ "value" : [ "::a", [\n":b" ] ] }',
    '{"value":"\\u003a:a"}',
    '{"value":{"a":"\\u003A:a"}}',
    '"::a"',
  ])("reads %s, which others have written, as Keyv does", (stored) => {
    expect(fast(stored)).toEqual(deserialize(stored));
    expect(fast(stored)).not.toEqual(JSON.parse(stored));
  });

  it("leaves values without escaped text to JSON.parse", () => {
    const spied = vi.fn(deserialize);
    const own = fastDeserialize(spied);
    spied.mockClear();
    expect(own(serialize({ a: "b:c", d: ["e"], "": "f" }))).toEqual({ value: { a: "b:c", d: ["e"], "": "f" } });
    expect(spied).not.toHaveBeenCalled();
    expect(own(serialize({ a: ":b" }))).toEqual({ value: { a: ":b" } });
    expect(spied).toHaveBeenCalledOnce();
  });
});

describe("fastDeserialize()", () => {
  it.each([
    ["JSON.parse", (text: string): unknown => JSON.parse(text)],
    ["one that is asynchronous", async (text: string): Promise<unknown> => versions[0]?.deserialize(text)],
    [
      "one that revives dates",
      (text: string): unknown =>
        JSON.parse(text, (_key, value) =>
          /^\d{4}-.*Z$/.test(value) ? new Date(value).getTime() : (value?.replace?.(/^:/, "") ?? value),
        ),
    ],
  ])("refuses %s", (_name, other) => {
    expect(() => fastDeserialize(other)).toThrow(ConfigurationError);
  });

  it("leaves a Keyv without a deserializer as it is", () => {
    expect(fastDeserialize(undefined)).toBeUndefined();
  });

  it("serves a Keyv over a store", async () => {
    const keyv = new Keyv5({ store: keyvStore({ location: inject("valkeyUrl"), keyPrefix: crypto.randomUUID() }) });
    const keyv6 = new Keyv6({
      store: keyvStore({ location: inject("valkeyUrl"), keyPrefix: crypto.randomUUID() }),
      serialization: {
        stringify: (value: unknown) => jsonSerializer.stringify(value),
        parse: fastDeserialize((stored) => jsonSerializer.parse(stored)),
      },
    });
    onTestFinished(async () => {
      await keyv.disconnect();
      await keyv6.disconnect();
    });
    keyv.deserialize = fastDeserialize(keyv.deserialize);
    const value = { text: ":a", plain: "b", bytes: Buffer.from("c") };
    for (const one of [keyv, keyv6] as Pick<Keyv5, "get" | "set">[]) {
      expect(await one.set("key", value)).toBe(true);
      expect(await one.get("key")).toEqual(value);
      expect(await one.set("other", { a: 1 })).toBe(true);
      expect(await one.get("other")).toEqual({ a: 1 });
    }
  });
});
