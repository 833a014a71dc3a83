import type { Connection, ConnectionFactory, Twins } from "../../core/connection.js";
import { ConfigurationError } from "../../core/errors.js";
import type { Location } from "../../core/location.js";
import { checkOptions, isImplementation, isPositiveInteger } from "../../core/options.js";
import { keepsRequestsApart } from "../../core/runtime.js";
import { type Clock, systemClock } from "../../core/time.js";
import { DeferredConnection } from "../deferred.js";
import type { Stores } from "./connection.js";

/** Options of `memory()`. */
export interface MemoryOptions {
  /**
   * The capacity of each store in bytes: keys and values as a server counts them, plus 240 for each entry. A full store
   * evicts the least recently used entries. An entry that would not fit even alone is refused with the code OOM.
   * @default 67108864 (64 MiB)
   */
  maxSize?: number | undefined;
  /** The maximum number of entries in each store. @default as many as fit into `maxSize` */
  maxEntries?: number | undefined;
  /** The clock for expiry and the randomness of SPOP and SRANDMEMBER. @default the host's own */
  clock?: Clock | undefined;
}

const DEFAULT_MAX_SIZE = 64 * 1024 * 1024;

/** `memory()`. @param twins of the scripts that have none with them */
export function memoryFactory(options: MemoryOptions, twins: Twins): ConnectionFactory {
  checkOptions<MemoryOptions>("memory", options, {
    maxSize: isPositiveInteger,
    maxEntries: isPositiveInteger,
    clock: isImplementation("a clock", "now", "random", "sleep"),
  });
  const { maxSize = DEFAULT_MAX_SIZE, maxEntries = Number.MAX_SAFE_INTEGER, clock = systemClock } = options;
  let stores: Stores | undefined;
  const open = async (name: string): Promise<Connection> => {
    const { Stores } = await import("./connection.js");
    stores ??= new Stores(clock, { maxSize, maxEntries }, twins);
    return stores.connect(name);
  };
  return {
    // The store belongs to the process. Pending calls must not be shared where requests are isolated.
    shares: !keepsRequestsApart(),
    connect(location) {
      checkLocation(location);
      return stores?.connect(location.path) ?? new DeferredConnection(() => open(location.path));
    },
  };
}

function checkLocation({ scheme, display }: Location): void {
  if (scheme === "memory") return;
  throw new ConfigurationError(
    `location: ${display} is a server, and memory() keeps entries in this process; give "memory:", or connectionFactory: glide() for valkey://`,
  );
}
