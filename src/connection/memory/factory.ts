import type { Connection, ConnectionFactory } from "../../core/connection.js";
import { ConfigurationError } from "../../core/errors.js";
import type { Location } from "../../core/location.js";
import { checkOptions, isImplementation, isPositiveInteger } from "../../core/options.js";
import { keepsRequestsApart } from "../../core/runtime.js";
import { type Clock, systemClock } from "../../core/time.js";
import { LateConnection } from "../deferred.js";
import type { Stores } from "./connection.js";

export interface MemoryOptions {
  /**
   * How much each store may hold, in bytes: keys and values as a server counts them, and 240 for each entry. When there
   * is no room the least recently used entries go; what would not fit even alone is refused with the code OOM.
   * @default 67_108_864 (64 MiB)
   */
  maxSize?: number;
  /** How many entries each store may hold. @default as many as fit into `maxSize` */
  maxEntries?: number;
  /** What entries expire by, and what random members are drawn with. @default the host's own */
  clock?: Clock;
}

const DEFAULT_MAX_SIZE = 64 * 1024 * 1024;

/**
 * Keeps entries in this process, for `memory:` locations: a store of this factory's own, which all its connections
 * share, and one more for each name in `memory:name`. A store lives as long as the factory, whoever closes a connection.
 * @throws {ConfigurationError} when an option is unknown or not of its kind
 */
export function memory(options: MemoryOptions = {}): ConnectionFactory {
  checkOptions<MemoryOptions>("memory", options, {
    maxSize: isPositiveInteger,
    maxEntries: isPositiveInteger,
    clock: isImplementation("a clock", "now", "random", "sleep"),
  });
  const { maxSize = DEFAULT_MAX_SIZE, maxEntries = Number.MAX_SAFE_INTEGER, clock = systemClock } = options;
  let stores: Stores | undefined;
  const open = async (name: string): Promise<Connection> => {
    const { Stores } = await import("./connection.js");
    stores ??= new Stores(clock, { maxSize, maxEntries });
    return stores.connect(name);
  };
  return {
    // The store is the process's; what waits on it is not, where requests are kept apart.
    shares: !keepsRequestsApart(),
    connect(location) {
      checkLocation(location);
      return stores?.connect(location.path) ?? new LateConnection(() => open(location.path));
    },
  };
}

function checkLocation({ scheme, display }: Location): void {
  if (scheme === "memory") return;
  throw new ConfigurationError(
    `location: ${display} is a server's, and memory() keeps entries in this process; give "memory:", or connectionFactory: glide() for valkey://`,
  );
}
