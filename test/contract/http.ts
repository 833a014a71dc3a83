import { describe } from "vitest";
import type { Cache } from "../../src/cache/cache.js";
import { events } from "./http/events.js";
import { handling } from "./http/handling.js";
import { parts } from "./http/parts.js";
import { purging } from "./http/purging.js";

/** What the HTTP cache does alike over every store, whatever the runtime. @param open a cache under a prefix of its own */
export function httpContract(name: string, open: () => Cache): void {
  describe(`the HTTP cache over ${name}`, () => {
    handling(open);
    describe("events", () => events(open));
    describe("a part of a body", () => parts(open));
    describe("a purge", () => purging(open));
  });
}
