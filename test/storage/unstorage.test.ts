import memoryDriver from "unstorage/drivers/memory";
import { inject } from "vitest";
import { type ValkeyDriverOptions, valkeyDriver } from "../../src/adapters/unstorage.js";
import { zlib } from "../../src/compressors/deflate.js";
import { createCache, herd, iovalkey, nearCache } from "../../src/index.js";
import { structuredClone } from "../../src/serializers/structured-clone.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { driverContract, type OpenDriver } from "../contract/storage-driver.js";
import { valkeyDriverContract } from "../contract/valkey-driver.js";

/** A driver with a cache of its own. */
const own =
  (options: ValkeyDriverOptions = {}): OpenDriver =>
  () =>
    valkeyDriver({ location: inject("valkeyUrl"), keyPrefix: ownPrefix(), ...options });

const shared = createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix(), ttl: null });
const herded = createCache({
  location: inject("valkeyUrl"),
  keyPrefix: ownPrefix(),
  ttl: null,
  client: herd(),
  serializer: structuredClone(),
  nearCache: nearCache({ values: "shared" }),
});

const DRIVERS: readonly (readonly [name: string, open: OpenDriver])[] = [
  ["valkey-glide", own()],
  ["iovalkey, within a base", own({ connectionFactory: iovalkey(), base: "app:*:" })],
  ["entries in the process", own({ location: "memory:" })],
  ["compressed values behind a near cache", own({ compressor: zlib({ minLength: 0 }), nearCache: true, base: "app" })],
  ["a namespace of the application's cache", () => valkeyDriver({ cache: shared.namespace(ownPrefix()) })],
  ["the application's herd of shared values", () => valkeyDriver({ cache: herded.namespace(ownPrefix()), base: "b" })],
];

// To show that the suite asks for nothing that is not unstorage's.
driverContract("unstorage's own memory driver", () => memoryDriver());

for (const [name, open] of DRIVERS) {
  driverContract(name, open);
  valkeyDriverContract(name, open);
}
