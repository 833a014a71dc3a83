import { describe, expect, it } from "vitest";
import type { ListenerAccess } from "../../src/core/near.js";
import { Hub, joined, type Member } from "../../src/near/hub.js";

/** A near cache that records what its hub tells it. */
function member(prefix: string): Member & { readonly heard: string[] } {
  const heard: string[] = [];
  return {
    heard,
    prefix,
    wants: "nothing",
    channel: prefix,
    maxStalenessMs: 2_000,
    isOpen: true,
    generation: undefined,
    isPrimary: async () => true,
    replaceConnections: () => {},
    beginWrite: ({ keys }) => void heard.push(`begin ${keys.join()}`),
    endWrite: ({ keys }) => void heard.push(`end ${keys.join()}`),
    dropKey: (key) => void heard.push(`drop ${key}`),
    hear: (key, message) => void heard.push(`${message} of ${key}`),
    dropAll: () => void heard.push("drop all"),
    batchEnded: () => {},
    listeningChanged: () => {},
    refused: () => {},
    failed: () => {},
  };
}

describe("what near caches of one server share", () => {
  it("is each write of the process, from its beginning to its end", () => {
    const hub = new Hub();
    const members = [member("a:"), member("b:")];
    for (const one of members) hub.join(one);
    const end = hub.beginWrite({ keys: ["a:1"], all: false });
    end();
    for (const { heard } of members) expect(heard).toEqual(["begin a:1", "end a:1"]);
  });

  it("has one that was made while a write was on its way drop what it may have read before it", () => {
    const hub = new Hub();
    const end = hub.beginWrite({ keys: ["a:1"], all: false });
    const late = member("a:");
    hub.join(late);
    const endOther = hub.beginWrite({ keys: ["a:2"], all: false });
    end();
    endOther();
    expect(late.heard).toEqual(["begin a:2", "drop all", "end a:2"]);
  });

  it("is nothing of one that has no connection any more, but the end of the write that it had begun with", () => {
    const hub = new Hub();
    const one = member("a:");
    hub.join(one);
    hub.join(one);
    const end = hub.beginWrite({ keys: ["a:1"], all: false });
    hub.left(one);
    expect(hub.keeps("a:1")).toBe(false);
    end();
    expect(one.heard).toEqual(["begin a:1", "drop all", "end a:1"]);
  });

  it("is which keys they keep", () => {
    const hub = new Hub();
    const one = member("a:");
    hub.join(one);
    expect([hub.keeps("a:1"), hub.keeps("b:1")]).toEqual([true, false]);
    expect(one.heard).toEqual([]);
  });
});

it("near caches are notified when the code that listens can't be loaded", async () => {
  const hub = new Hub();
  const told: Error[] = [];
  const one: Member = { ...member("a:"), wants: "tracking", failed: (error) => void told.push(error) };
  hub.join(one);
  const access: ListenerAccess = {
    key: "server",
    name: "server",
    connectTimeoutMs: 1_000,
    follows: false,
    addresses: async () => [],
    open: () => Promise.reject(new Error("not reached")),
    login: async () => ({ username: undefined, password: undefined }),
  };
  hub.listen(access, () => Promise.reject(new Error("a file is missing")));
  await expect.poll(() => told.map(({ message }) => message)).toEqual(["a file is missing"]);
  expect(one.generation).toBeUndefined();
});

it("prefixes that begin with another are left out, as servers refuse both", () => {
  expect(joined(["b:", "a:1:", "a:", "a:", "ab:"])).toEqual(["a:", "ab:", "b:"]);
  expect(joined(["a:", ""])).toEqual([""]);
  expect(joined([])).toEqual([]);
});
