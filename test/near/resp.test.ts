import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ErrorReply, encode, RespParser, type Value } from "../../src/near/resp.js";

/** What a parser has handed on, in order. */
type Event =
  | { readonly kind: "reply"; readonly value: Value }
  | { readonly kind: "message"; readonly parts: Value[] }
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "all" };

function recording({ limit = 1_000 } = {}) {
  const events: Event[] = [];
  const parser = new RespParser({
    reply: (value) => void events.push({ kind: "reply", value }),
    message: (parts) => void events.push({ kind: "message", parts }),
    key: (key) => void events.push({ kind: "key", key }),
    all: () => void events.push({ kind: "all" }),
  });
  const add = (bytes: Uint8Array | string): void => {
    parser.add(typeof bytes === "string" ? Buffer.from(bytes) : bytes);
    while (parser.run(limit));
  };
  return { events, parser, add };
}

const keysMessage = (keys: readonly string[]): string =>
  `>2\r\n$10\r\ninvalidate\r\n*${keys.length}\r\n${keys.map(bulk).join("")}`;
const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

const LINE = fc.string({ unit: "grapheme-ascii", maxLength: 12 });
const TEXT = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("\r\n", "$3\r\nabc\r\n", ">2\r\n", "é"),
);

/** Values on the wire, with what a parser makes of them. */
const { value: WIRE } = fc.letrec<{ value: { wire: string; value: Value } }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.integer().map((value) => ({ wire: `:${value}\r\n`, value })),
    LINE.map((value) => ({ wire: `+${value}\r\n`, value })),
    LINE.map((text) => ({ wire: `-${text}\r\n`, value: new ErrorReply(text) })),
    TEXT.map((text) => text.toWellFormed()).map((value) => ({ wire: bulk(value), value })),
    fc.constantFrom({ wire: "_\r\n", value: null }, { wire: "$-1\r\n", value: null }, { wire: "*-1\r\n", value: null }),
    fc.constantFrom({ wire: "#t\r\n", value: 1 }, { wire: "#f\r\n", value: 0 }, { wire: ",1.5\r\n", value: "1.5" }),
    fc.constant({ wire: `=7\r\ntxt:abc\r\n`, value: "abc" }),
    fc.constant({ wire: `!5\r\nERR x\r\n`, value: new ErrorReply("ERR x") }),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => ({
      wire: `*${items.length}\r\n${items.map(({ wire }) => wire).join("")}`,
      value: items.map(({ value }) => value),
    })),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 2 }).map((pairs) => ({
      wire: `%${pairs.length}\r\n${pairs.map(([a, b]) => a.wire + b.wire).join("")}`,
      value: pairs.flatMap(([a, b]) => [a.value, b.value]),
    })),
  ),
}));

/** Everything that a server sends to a connection that listens, with what is handed on. */
const TRAFFIC = fc.oneof(
  WIRE.map(({ wire, value }) => ({ wire, events: [{ kind: "reply", value }] satisfies Event[] })),
  fc.array(TEXT, { maxLength: 6 }).map((texts) => {
    const keys = texts.map((text) => text.toWellFormed());
    return { wire: keysMessage(keys), events: keys.map((key): Event => ({ kind: "key", key })) };
  }),
  fc.constant({ wire: ">2\r\n$10\r\ninvalidate\r\n_\r\n", events: [{ kind: "all" }] satisfies Event[] }),
  TEXT.map((text) => text.toWellFormed()).map((text) => ({
    wire: `>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n${bulk(text)}`,
    events: [{ kind: "message", parts: ["message", "c", text] }] satisfies Event[],
  })),
);

/** The bytes in pieces of random sizes. */
function* pieces(bytes: Uint8Array, sizes: readonly number[]): Iterable<Uint8Array> {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

describe("what a server sends", () => {
  it("is the same in whatever pieces it comes", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        fc.array(TRAFFIC, { maxLength: 12 }),
        sizes,
        fc.integer({ min: 1, max: 5 }),
        (traffic, cut, limit) => {
          const expected = traffic.flatMap(({ events }): readonly Event[] => events);
          const bytes = Buffer.from(traffic.map(({ wire }) => wire).join(""));
          const whole = recording();
          whole.add(bytes);
          expect(whole.events).toEqual(expected);
          const inPieces = recording({ limit });
          for (const piece of pieces(bytes, cut)) inPieces.add(piece);
          expect(inPieces.events).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("is handed on a slice at a time, in order", () => {
    const { events, parser } = recording();
    parser.add(Buffer.from(`${keysMessage(["a", "b", "c"])}:1\r\n`));
    expect(parser.run(2)).toBe(true);
    expect(events).toEqual([{ kind: "key", key: "a" }]);
    expect(parser.run(2)).toBe(true);
    expect(events.map(({ kind }) => kind)).toEqual(["key", "key", "key"]);
    expect(parser.run(2)).toBe(false);
    expect(events.at(-1)).toEqual({ kind: "reply", value: 1 });
  });

  it("may name 100,000 keys in one message", () => {
    const keys = Array.from({ length: 100_000 }, (_none, i) => `app:1:user:${i}`);
    const { events, add } = recording();
    for (const piece of pieces(Buffer.from(keysMessage(keys)), [65_536])) add(piece);
    expect(events).toEqual(keys.map((key) => ({ kind: "key", key })));
  });

  it("passes over a key that is longer than any of a cache, and means all keys then", () => {
    const { events, add } = recording();
    const bytes = Buffer.from(keysMessage(["a", "x".repeat(300_000), "b"]));
    for (const piece of pieces(bytes, [10_000])) add(piece);
    expect(events).toEqual([{ kind: "key", key: "a" }, { kind: "all" }, { kind: "key", key: "b" }]);
  });

  it.each([
    ["no list", ">2\r\n$10\r\ninvalidate\r\n$-1\r\n"],
    ["an absent list", ">2\r\n$10\r\ninvalidate\r\n*-1\r\n"],
    ["a name that is no bulk string", ">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n"],
    ["more than the keys", ">3\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n:1\r\n"],
  ])("means all keys where a message of changed keys has %s", (_name, wire) => {
    const { events, add } = recording();
    add(wire);
    expect(events).toEqual([{ kind: "all" }]);
  });

  it("may have attributes before a value, which are left out", () => {
    const { events, add } = recording();
    add("|1\r\n+ttl\r\n:3600\r\n$2\r\nok\r\n");
    expect(events).toEqual([{ kind: "reply", value: "ok" }]);
  });

  it("has messages among lists under RESP2, once there are subscriptions", () => {
    const wire = `*3\r\n${bulk("message")}${bulk("c")}${bulk("x")}`;
    const before = recording();
    before.add(wire);
    expect(before.events[0]?.kind).toBe("reply");
    const after = recording();
    after.parser.expectMessages();
    after.add(`${wire}*1\r\n${bulk("other")}`);
    expect(after.events.map(({ kind }) => kind)).toEqual(["message", "reply"]);
  });
});

describe("what is not the protocol", () => {
  it.each([
    "HTTP/1.1 400 Bad Request\r\n",
    "\r\n",
    "$abc\r\n",
    "$-2\r\n",
    "$1.5\r\nab\r\n",
    "$ 3\r\nabc\r\n",
    "$99999999999999999999\r\n",
    "$5000000\r\n",
    "*5000000\r\n",
    "*1e3\r\n",
    "*\r\n",
    ":one\r\n",
    ":1\rx",
    "%-7\r\n",
    "*1\r\n".repeat(20),
    "|0\r\n".repeat(100_000),
    "x".repeat(70_000),
    ">2\r\n$10\r\ninvalidate\r\n*x\r\n",
    ">2\r\n$10\r\ninvalidate\r\n*1.5\r\n$1\r\na\r\n",
    ">2\r\n$10\r\ninvalidate\r\n:5\r\n",
    ">2\r\n$10\r\ninvalidate\r\n*1\r\n:5\r\n",
    ">2\r\n$10\r\ninvalidate\r\n*1\r\n$-1\r\n",
  ])("is an error: %j", (wire) => {
    const { add } = recording();
    expect(() => add(wire)).toThrow(Error);
  });

  it("is an error where a value that does not end is longer than any reply", () => {
    const { add } = recording();
    const chunk = `${bulk("x".repeat(1_000_000))}`;
    add("*10\r\n");
    expect(() => {
      for (let i = 0; i < 8; i++) add(chunk);
    }).toThrow("too long");
  });

  it("is never anything else than an error, or something handed on, whatever the bytes", () => {
    const byte = fc.oneof(
      fc.constantFrom(...Buffer.from(">$*:+-_%|~\r\n0129invalidate")),
      fc.integer({ min: 0, max: 255 }),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 80 }), fc.boolean(), (bytes, isMessage) => {
        const { add } = recording();
        const head = isMessage ? ">2\r\n$10\r\ninvalidate\r\n*" : "";
        try {
          add(Buffer.concat([Buffer.from(head), Buffer.from(bytes)]));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

it("a command is sent as a list of bulk strings, by their bytes", () => {
  expect(encode(["AUTH", "é"])).toBe("*2\r\n$4\r\nAUTH\r\n$2\r\né\r\n");
});
