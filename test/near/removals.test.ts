import { expect, inject, it } from "vitest";
import { command } from "../support/command.js";
import { Near } from "./near.js";

const valkeyUrl = inject("valkeyUrl");
const { port } = new URL(valkeyUrl);

it.each([
  ["deletePattern()", (near: Near) => near.cache.deletePattern("a*")],
  ["clear()", (near: Near) => near.cache.clear()],
])("after %s nothing of it is answered, also if the server had lost it before", async (_name, remove) => {
  const keyPrefix = `near-removals-${process.pid}-${_name}`;
  await using near = new Near({ location: valkeyUrl, keyPrefix }, { invalidation: "ttl", maxStaleness: "1m" });
  await near.cache.set("a", 1);
  await near.cache.get("a");
  await command(Number(port), ["DEL", String(near.cache.makeKey("a"))]);
  expect(await near.read("a")).toEqual({ value: 1, isKnown: true });
  await remove(near);
  expect(await near.cache.get("a")).toBeUndefined();
});
