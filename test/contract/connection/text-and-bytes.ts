import { describe, expect, it } from "vitest";
import type { Reply } from "../../../src/core/connection.js";
import type { ConnectionSubject } from "../connection.js";
import { a, b, bulk, c, plain } from "./rows.js";

const TEXT = { readOnly: true, text: true } as const;
const LATIN1 = Uint8Array.of(0x63, 0x61, 0x66, 0xe9);
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, index) => index);

function toPart(content: string | number[]): string | Uint8Array {
  return typeof content === "string" ? content : Uint8Array.from(content);
}

export function textAndBytes(subject: () => ConnectionSubject): void {
  describe("text and bytes", () => {
    it("values, members and fields can be any bytes", async () => {
      const { connection } = subject();
      const replies = await connection.send([
        ["SET", a, ALL_BYTES],
        ["GET", a],
        ["SADD", b, ALL_BYTES, LATIN1],
        ["SISMEMBER", b, ALL_BYTES],
        ["SISMEMBER", b, "caf\ufffd"],
        ["HSET", c, LATIN1, ALL_BYTES],
        ["HGETALL", c],
        ["ECHO", ALL_BYTES],
      ]);
      const all = bulk([...ALL_BYTES]);
      expect(replies.map(plain)).toEqual(["OK", all, 2, 1, 0, 1, [[bulk([...LATIN1]), all]], all]);
    });

    it("text is UTF-8, so text and bytes name the same key or member", async () => {
      const { connection } = subject();
      const bytes = new TextEncoder().encode("{slot}ключ 🔑");
      const replies = await connection.send([
        ["SET", "{slot}ключ 🔑", "значение"],
        ["GET", bytes],
        ["SADD", a, "ключ"],
        ["SISMEMBER", a, new TextEncoder().encode("ключ")],
        ["STRLEN", bytes],
      ]);
      expect(replies.map(plain)).toEqual(["OK", bulk("значение"), 1, 1, 16]);
    });

    it("keys can be any bytes", async () => {
      const { connection } = subject();
      const key = Uint8Array.of(...new TextEncoder().encode(a), 0xff, 0);
      const replies = await connection.send([
        ["SET", key, "1"],
        ["GET", key],
        ["EXISTS", a, `${a}\ufffd\0`],
        ["DEL", key],
      ]);
      expect(replies.map(plain)).toEqual(["OK", bulk("1"), 0, 1]);
    });

    it.each([
      ["of ASCII alone", (i: number) => `value ${i}`],
      ["one of which is beyond ASCII", (i: number) => (i === 20 ? "Übergröße 🔑" : `value ${i}`)],
      ["one of which is bytes", (i: number) => (i === 20 ? [...ALL_BYTES] : `value ${i}`)],
      ["one of which is empty", (i: number) => (i === 20 ? "" : `value ${i}`)],
      ["that are joined of others, as stored keys are", (i: number) => `${"value".repeat(i)}:${i}`],
      ["that are long", (i: number) => `${i}`.repeat(10_000)],
    ])("many parts %s arrive each as it is", async (_name, make: (i: number) => string | number[]) => {
      const { connection } = subject();
      const fields = Array.from({ length: 40 }, (_field, i) => `field ${i}`);
      const [added, ...values] = await connection.send([
        ["HSET", a, ...fields.flatMap((field, i) => [field, toPart(make(i))])],
        ...fields.map((field) => ["HGET", a, field] as const),
      ]);
      expect(added).toBe(40);
      expect(values.map(plain)).toEqual(fields.map((_field, i) => bulk(make(i))));
    });

    it("a reply with the text option is the same, as a string or as bytes", async () => {
      const { connection } = subject();
      await connection.send([
        ["SET", a, "žluťoučký \u{1f40e}"],
        ["SET", b, ""],
      ]);
      const [text, empty, missing] = await connection.send(
        [
          ["GET", a],
          ["GET", b],
          ["GET", c],
        ],
        TEXT,
      );
      expect(asText(text)).toBe("žluťoučký \u{1f40e}");
      expect(asText(empty)).toBe("");
      expect(missing).toBeNull();
    });

    it("bytes that are not UTF-8 are complete with the text option, next to text and a byte order mark", async () => {
      const { connection } = subject();
      await connection.send([
        ["MSET", a, "text", b, LATIN1, c, "\ufeffmarked"],
        ["SADD", "{slot}set", LATIN1],
      ]);
      const [values, members] = await connection.send(
        [
          ["MGET", a, b, c],
          ["SMEMBERS", "{slot}set"],
        ],
        TEXT,
      );
      const [text, binary, marked] = values as Reply[];
      expect(asText(text)).toBe("text");
      expect(plain(binary)).toEqual(bulk([...LATIN1]));
      expect(asText(marked)).toBe("\ufeffmarked");
      expect(plain(members)).toEqual([bulk([...LATIN1])]);
    });

    it("errors and statuses are the same with the text option", async () => {
      const { connection } = subject();
      await connection.send([["SADD", a, "member"]]);
      const replies = await connection.send([["GET", a], ["PING"], ["TYPE", a], ["SCARD", a]], TEXT);
      expect(replies.map(plain)).toEqual([{ refused: "WRONGTYPE" }, "PONG", "set", 1]);
    });

    it("a large value is returned completely", async () => {
      const { connection } = subject();
      const value = new Uint8Array(1_000_000).map((_, index) => (index * 31) % 251);
      const [, reply] = await connection.send([
        ["SET", a, value],
        ["GET", a],
      ]);
      expect(Buffer.compare(reply as Uint8Array, value)).toBe(0);
    });
  });
}

function asText(reply: Reply | undefined): unknown {
  return reply instanceof Uint8Array ? Buffer.from(reply).toString() : reply;
}
