import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Keyv } from "keyv";
import { type Cache, createCache, herd, iovalkey } from "valkey-edge-cache";
import { type KeyvStore, keyvStore } from "valkey-edge-cache/keyv";
import { zlib } from "valkey-edge-cache/zlib";
import * as vitest from "vitest";
import { tools } from "./app.js";

type Suite = (test: typeof vitest, Class: typeof Keyv, store: () => KeyvStore) => void;

/** What `@keyv/test-suite` exports for stores. Its other suite is for compressors. */
interface Suites {
  readonly default: Suite;
  readonly keyvIteratorTests: Suite;
}

const path = join(tools, "keyv-suite", "node_modules", "@keyv", "test-suite", "dist", "index.js");
const suites: Suites = await import(pathToFileURL(path).href);

class Unprefixed extends Keyv {
  constructor(options?: object) {
    super({ ...options, useKeyPrefix: false });
  }
}

const caches: [string, (url: string) => Cache][] = [
  ["over the default transport", (location) => createCache({ location, keyPrefix: "suite-1" })],
  ["over iovalkey()", (location) => createCache({ location, keyPrefix: "suite-2", connectionFactory: iovalkey() })],
  ["with herd()", (location) => createCache({ location, keyPrefix: "suite-3", client: herd() })],
  ["compressed", (location) => createCache({ location, keyPrefix: "suite-4", compressor: zlib({ minLength: 1 }) })],
  ["in memory:", () => createCache({ location: "memory:" })],
];

vitest.describe.each([
  ["Keyv 5", Keyv],
  ["Keyv 5 without useKeyPrefix", Unprefixed],
])("the suite of %s for stores", (_, Class) => {
  vitest.describe.each(caches)("%s", (_name, make) => {
    const cache = make(vitest.inject("valkeyUrl"));
    vitest.afterAll(() => cache.close());
    suites.default(vitest, Class as typeof Keyv, () => keyvStore({ cache }));
    suites.keyvIteratorTests(vitest, Class as typeof Keyv, () => keyvStore({ cache }));
  });
});
