import fc from "fast-check";
import { createStorage, type Driver, type Storage } from "unstorage";
import memoryDriver from "unstorage/drivers/memory";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toBytes } from "../../src/core/text.js";
import type { Cache } from "../../src/index.js";
import type { OpenDriver } from "./storage-driver.js";

const WELL_FORMED = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.json(),
  fc.double().map(String),
  fc.bigInt().map(String),
  fc.constantFrom("", '"', '""', '"a"', "007", "1.50", "-0", "nan", "NaN", "inf", "1e5", "null", "true", "undefined"),
  fc.constantFrom("\x11V1", "\x11T", "\x11", "base64:", "base64:AQ==", "base64:?", "\ufeffa", '{"__proto__":{"a":1}}'),
  fc.constantFrom("10000000000000000000", "12345678901234567890", " 1", "[1, 2]", "{}", "[", '{"a":1,"a":2}'),
);
const BYTES = fc.oneof(
  fc.uint8Array(),
  fc.uint8Array().map((bytes) => Uint8Array.of(0x11, 0x56, 0x31, ...bytes)),
  WELL_FORMED.map(toBytes),
);

/** What the driver of this library does beside what every driver does. */
export function valkeyDriverContract(name: string, open: OpenDriver): void {
  describe(`a storage over ${name}`, () => {
    let driver: Driver<unknown, Cache>;
    let storage: Storage;

    beforeEach(() => {
      driver = open();
      storage = createStorage({ driver });
    });
    afterEach(async () => {
      await storage.clear();
      await storage.dispose();
    });

    const bytesAt = async (key: string) => Uint8Array.from((await storage.getItemRaw<Uint8Array>(key)) ?? []);

    it("has every capability that a driver can have", () => {
      expect(Object.keys(driver).sort()).toEqual(
        [
          ...["name", "flags", "options", "getInstance", "hasItem", "getItem", "getItems", "getItemRaw", "setItem"],
          ...["setItems", "setItemRaw", "removeItem", "getMeta", "getKeys", "clear", "dispose", "watch"],
        ].sort(),
      );
      expect(driver.flags).toEqual({ maxDepth: true, ttl: true });
      expect(driver.getInstance?.()).toHaveProperty("getOrSet");
    });

    it("returns of any text what unstorage's memory driver returns, and its bytes", async () => {
      const model = createStorage({ driver: memoryDriver() });
      const texts = fc.uniqueArray(
        fc.oneof(WELL_FORMED, fc.string({ unit: "binary" }), fc.constantFrom("\ud800", "a\udc00")),
        { minLength: 20 },
      );
      await fc.assert(
        fc.asyncProperty(texts, async (all) => {
          const items = all.map((value, i) => ({ key: `item:${i}`, value }));
          await Promise.all([storage.setItems(items), model.setItems(items)]);
          const keys = items.map(({ key }) => key);
          expect(await storage.getItems(keys)).toEqual(await model.getItems(keys));
          // Of text that unstorage itself would have made of bytes, the bytes are those.
          const plain = items.filter(({ value }) => !value.startsWith("base64:"));
          for (const { key, value } of plain) expect(await bytesAt(key)).toEqual(toBytes(value));
        }),
        { numRuns: 10 },
      );
    });

    it("returns of any JSON value what unstorage's memory driver returns", async () => {
      const model = createStorage({ driver: memoryDriver() });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.jsonValue(), { minLength: 20 }), async (values) => {
          const items = values.map((value, i) => ({ key: `item:${i}`, value: value as string }));
          await Promise.all([storage.setItems(items), model.setItems(items)]);
          const keys = items.map(({ key }) => key);
          expect(await storage.getItems(keys)).toEqual(await model.getItems(keys));
        }),
        { numRuns: 10 },
      );
    });

    it("keeps any bytes, and any text that is set raw", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(BYTES, { minLength: 20 }), fc.array(WELL_FORMED), async (all, texts) => {
          await Promise.all([
            ...all.map((bytes, i) => storage.setItemRaw(`bytes:${i}`, bytes)),
            ...texts.map((text, i) => storage.setItemRaw(`text:${i}`, text)),
          ]);
          expect(await Promise.all(all.map((_, i) => bytesAt(`bytes:${i}`)))).toEqual(all);
          expect(await Promise.all(texts.map((_, i) => bytesAt(`text:${i}`)))).toEqual(texts.map(toBytes));
        }),
        { numRuns: 10 },
      );
    });

    it("takes bytes in any form, and everything else as JSON, and returns a Buffer", async () => {
      const parts = Uint8Array.of(0, 255, 1, 254, 2, 253);
      const rows: readonly (readonly [unknown, Uint8Array])[] = [
        [Buffer.from("Hello, world!"), toBytes("Hello, world!")],
        [parts.subarray(1, 3), Uint8Array.of(255, 1)],
        [parts.buffer, parts],
        [new DataView(parts.buffer, 1, 2), Uint8Array.of(255, 1)],
        [new Uint16Array([513, 5]), Uint8Array.of(1, 2, 5, 0)],
        [{ a: 1 }, toBytes('{"a":1}')],
        [12, toBytes("12")],
        [null, toBytes("null")],
      ];
      for (const [value, bytes] of rows) {
        await storage.setItemRaw("file", value);
        expect(await storage.getItemRaw("file")).toEqual(Buffer.from(bytes));
      }
      expect(await storage.getItemRaw("none")).toBeNull();
    });

    it("refuses raw what has no bytes, and names the key", async () => {
      for (const value of [new Map([["a", 1]]), () => 1, new Blob(["a"]), 1n]) {
        await expect(storage.setItemRaw("dir:file", value)).rejects.toThrow(
          /^key "dir:file": .* has no bytes; give setItemRaw /,
        );
      }
      expect(await storage.hasItem("dir:file")).toBe(false);
    });

    it("sets no items where there are none, and the last one of a key", async () => {
      await storage.setItems([]);
      expect(await storage.getItems([])).toEqual([]);
      await storage.setItems([
        { key: "a", value: 1, options: { ttl: 10 } },
        { key: "a", value: 2 },
      ]);
      expect(await storage.getItem("a")).toBe(2);
    });

    it("gives items the lifetime that their options say, in seconds; 0 never expires, as without one", async () => {
      await storage.setItem("a", 1, { ttl: 100 });
      await storage.setItemRaw("b", Uint8Array.of(200), { ttl: "2m" });
      await storage.setItem("c", 1, { ttl: 0 });
      await storage.setItem("d", 1);
      await storage.setItems(
        [
          { key: "e", value: 1 },
          { key: "f", value: 2, options: { ttl: 50 } },
        ],
        { ttl: 10 },
      );
      const ttls = await Promise.all(
        ["a", "b", "c", "d", "e", "f"].map(async (key) => (await storage.getMeta(key)).ttl),
      );
      const near = (seconds: number) => expect.closeTo(seconds, -0.5);
      expect(ttls).toEqual([near(100), near(120), undefined, undefined, near(10), near(50)]);
      expect([await storage.hasItem("c"), await storage.hasItem("d")]).toEqual([true, true]);
    });

    it("refuses a lifetime that is none", async () => {
      await expect(storage.setItem("a", 1, { ttl: "soon" })).rejects.toThrow(/"soon" is not a duration; give seconds/);
      expect(await storage.hasItem("a")).toBe(false);
    });

    it("knows size and lifetime of an item as its native meta, and nothing of one that is not there", async () => {
      await storage.setItem("a", "Grüße", { ttl: 100 });
      await storage.setItemRaw("b", Uint8Array.of(255, 254, 253));
      await storage.setMeta("b", { etag: "x" });
      expect(await storage.getMeta("a", { nativeOnly: true })).toEqual({ size: 7, ttl: expect.closeTo(100, -0.5) });
      expect(await storage.getMeta("b")).toEqual({ size: 3, etag: "x" });
      expect(await driver.getMeta?.("none", {})).toBeNull();
    });

    it("clears one base, and leaves others alone: those that begin alike, and those that a glob would match", async () => {
      const bases = ["a", "ab", "a*", "a?", "[ab]", "a\\", "c:a"];
      // By the driver, as a storage takes some of these characters out of keys.
      const fill = () => Promise.all(bases.map((base) => driver.setItem?.(`${base}:item`, base, {})));
      for (const base of bases) {
        await fill();
        expect(await driver.getKeys(`${base}:`, {}), `keys of ${base}`).toEqual([`${base}:item`]);
        await driver.clear?.(`${base}:`, {});
        const left = bases.filter((other) => other !== base).map((other) => `${other}:item`);
        expect((await driver.getKeys("", {})).sort(), `after clear of ${base}`).toEqual(left.sort());
      }
    });

    it("lists the keys of a base down to a depth by itself", async () => {
      for (const key of ["a", "b:a", "b:b:a"]) await storage.setItem(key, 1);
      expect((await driver.getKeys("", { maxDepth: 1 })).sort()).toEqual(["a", "b:a"]);
      expect((await driver.getKeys("b:", { maxDepth: 1 })).sort()).toEqual(["b:a"]);
      expect((await driver.getKeys("b", {})).sort()).toEqual(["b:a", "b:b:a"]);
    });

    it("gives each reader a value of its own, which it may change", async () => {
      await storage.setItem("entry", { value: 1, nested: { list: [1] } });
      for (let i = 0; i < 3; i++) {
        const entry = await storage.getItem<{ value: number; nested: { list: number[] } }>("entry");
        expect(entry).toEqual({ value: 1, nested: { list: [1] } });
        if (entry) entry.value = 2;
        entry?.nested.list.push(2);
      }
      await storage.setItemRaw("file", Uint8Array.of(255, 1));
      for (let i = 0; i < 3; i++) {
        const bytes = await storage.getItemRaw<Uint8Array>("file");
        expect(Uint8Array.from(bytes ?? [])).toEqual(Uint8Array.of(255, 1));
        bytes?.fill(0);
      }
    });
  });
}
