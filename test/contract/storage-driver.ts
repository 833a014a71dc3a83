import { createStorage, type Driver, prefixStorage, restoreSnapshot, type Storage, snapshot } from "unstorage";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../support/wait.js";

/** Makes a driver over an empty store. Each test has one of its own. */
export type OpenDriver = () => Driver;

/** What every driver of unstorage does, as its own tests of drivers have it. */
export function driverContract(name: string, open: OpenDriver): void {
  describe(`a storage over ${name}`, () => {
    let driver: Driver;
    let storage: Storage;

    beforeEach(() => {
      driver = open();
      storage = createStorage({ driver });
    });
    afterEach(async () => {
      await storage.clear();
      // Twice, as a storage disposes a driver that its owner has disposed, too.
      await driver.dispose?.();
      await storage.dispose();
    });

    it("restores a snapshot, and makes one", async () => {
      await restoreSnapshot(storage, { "a:1": "one", b: { two: 2 } });
      expect(await storage.getItem("a:1")).toBe("one");
      expect<unknown>(await snapshot(storage, "")).toEqual({ "a:1": "one", b: { two: 2 } });
    });

    it("is empty at first", async () => {
      expect(await storage.hasItem("a:1")).toBe(false);
      expect(await storage.getItem("a:1")).toBeNull();
      expect(await storage.getKeys()).toEqual([]);
    });

    it("has the items that were set, with keys that end before a question mark", async () => {
      await storage.setItem("a:1", "text");
      await storage.setItem("b:1?v=1", "other text");
      expect(await storage.hasItem("a:1")).toBe(true);
      expect(await storage.getItem("a:1")).toBe("text");
      expect(await storage.getItem("b:1?v=2")).toBe("other text");
    });

    it("replaces an item that is set again", async () => {
      await storage.setItem("a", "old");
      await storage.setItem("a", { new: true });
      expect(await storage.getItem("a")).toEqual({ new: true });
    });

    it("removes an item by setting it to undefined", async () => {
      await storage.setItem("a", 1);
      await storage.setItem("a", undefined as unknown as string);
      expect(await storage.hasItem("a")).toBe(false);
    });

    it("lists keys, all or of a base", async () => {
      for (const key of ["a:1", "ab:1", "b:1?v=1"]) await storage.setItem(key, "text");
      expect((await storage.getKeys()).sort()).toEqual(["a:1", "ab:1", "b:1"]);
      expect(await storage.getKeys("a")).toEqual(["a:1"]);
      expect(await storage.getKeys("a:")).toEqual(["a:1"]);
      expect(await storage.getKeys("none")).toEqual([]);
    });

    it("lists keys down to a depth", async () => {
      const byDepth = [["a0"], ["a:b0", "a:b1"], ["a:b:c0", "a:b:c1"]];
      for (const key of byDepth.flat()) await storage.setItem(key, "text");
      for (const maxDepth of [0, 1, 2]) {
        const keys = await storage.getKeys(undefined, { maxDepth });
        expect(keys.sort(), `depth ${maxDepth}`).toEqual(
          byDepth
            .slice(0, maxDepth + 1)
            .flat()
            .sort(),
        );
      }
    });

    it.each<[string, unknown, unknown?]>([
      ["an object", { a: [1, { b: null }] }],
      ["an array", [1, "2", null]],
      ["true", true],
      ["false", false],
      ["zero", 0],
      ["a fraction", -1.5],
      ["a large number", 1e21],
      ["null", null],
      ["text", "text"],
      ["no text", ""],
      ["text of several scripts", "Grüße, 世界 🎉"],
      ["text that begins like JSON", "{not json"],
      ["lines", "a\r\nb\n"],
      ["what toJSON returns, text", { toJSON: () => "made by toJSON" }, "made by toJSON"],
      ["what toJSON returns, an object", new (class { toJSON = () => ({ made: "by toJSON" }); })(), { made: "by toJSON" }], // biome-ignore format: one line for each row
    ])("keeps %s", async (_, value, expected = value) => {
      await storage.setItem("dir/item.json", value as string);
      expect(await storage.getItem("dir/item.json")).toEqual(expected);
      expect(await storage.getItem("dir:item.json")).toEqual(expected);
    });

    it("refuses an instance of a class without toJSON", async () => {
      class Opaque {}
      await expect(storage.setItem("a", new Opaque())).rejects.toThrow("Cannot stringify");
      expect(await storage.hasItem("a")).toBe(false);
    });

    it("keeps bytes", async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      await storage.setItemRaw("file.bin", bytes);
      const found = await storage.getItemRaw<Uint8Array>("file.bin");
      expect(Uint8Array.from(found ?? [])).toEqual(bytes);
    });

    it("sets several items", async () => {
      await storage.setItems<string | object>([
        { key: "a:1", value: "one" },
        { key: "a:2", value: { two: 2 } },
      ]);
      expect(await storage.getItem("a:1")).toBe("one");
      expect(await storage.getItem("a:2")).toEqual({ two: 2 });
    });

    it("returns several items in the order of their keys, with null for those that are not there", async () => {
      await storage.setItem("c:1?v=1", "three");
      await storage.setItem("b:1", { two: 2 });
      await storage.setItem("a:1", "one");
      expect(await storage.getItems([{ key: "a:1" }, "b:1", { key: "c:1?v=1" }, "d:none", "a:1"])).toEqual([
        { key: "a:1", value: "one" },
        { key: "b:1", value: { two: 2 } },
        { key: "c:1", value: "three" },
        { key: "d:none", value: null },
        { key: "a:1", value: "one" },
      ]);
    });

    it("removes an item, and its meta where that is asked for", async () => {
      await storage.setItem("a", "text");
      await storage.setMeta("a", { mtime: new Date(0) });
      expect((await storage.getMeta("a")).mtime).toEqual(new Date(0));
      expect(await storage.getKeys()).toEqual(["a"]);
      await storage.removeItem("a", { removeMeta: true });
      expect(await storage.hasItem("a")).toBe(false);
      expect(await storage.getItem("a")).toBeNull();
      expect(await storage.getMeta("a")).not.toHaveProperty("mtime");
      await storage.removeItem("a");
    });

    it("clears all items, also when there are none", async () => {
      await storage.clear();
      await storage.setItem("a:1", "text");
      await storage.setItem("b", "text");
      await storage.clear();
      expect(await storage.getKeys()).toEqual([]);
      expect(await storage.getItem("b")).toBeNull();
    });

    it("notifies of what it sets and removes, until it is asked not to", async () => {
      const events: unknown[] = [];
      const unwatch = await storage.watch((event, key) => void events.push([event, key]));
      const happens = (count: number) => until(() => events.length === count, { what: `${count} events` });
      await storage.setItem("a:1", 1);
      await happens(1);
      await storage.setItemRaw("b", Uint8Array.of(1));
      await happens(2);
      await storage.removeItem("a:1");
      await happens(3);
      await unwatch();
      await storage.setItem("c", 1);
      expect(events).toEqual([
        ["update", "a:1"],
        ["update", "b"],
        ["remove", "a:1"],
      ]);
    });

    it("works under a mount, and with a prefix of its own", async () => {
      const root = createStorage();
      root.mount("cache", driver);
      await root.setItem("cache:a:1", "mounted");
      expect(await storage.getItem("a:1")).toBe("mounted");
      const inner = prefixStorage(root, "cache:a");
      expect(await inner.getItem("1")).toBe("mounted");
      expect(await inner.getKeys()).toEqual(["1"]);
      expect(await root.getKeys("cache")).toEqual(["cache:a:1"]);
      await root.unmount("cache", false);
    });
  });
}
