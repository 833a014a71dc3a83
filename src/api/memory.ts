import { entryTwins } from "../client/entry-scripts.js";
import { lockTwins } from "../client/lock.js";
import { type MemoryOptions, memoryFactory } from "../connection/memory/factory.js";
import type { ConnectionFactory } from "../core/connection.js";
import type { Location } from "../core/location.js";
import { leaseTwins } from "../lease/scripts.js";
import { purgeTwins } from "../tags/records.js";

/**
 * Keeps entries in this process, for `memory:` locations. All connections of a factory share its store; each name in
 * `memory:name` is a further store. A store lives as long as the factory, even when every connection is closed.
 *
 * Replies and errors are those of a server. For users of `cache.connection`, it also has string, set, hash and lifetime
 * commands that the cache itself does not send; docs/decisions/memory-transport.md lists them.
 * @throws {ConfigurationError} when an option is unknown or of a wrong type
 * @example
 * const cache = createCache({ location: "memory:", connectionFactory: memory({ maxSize: 16 * 2 ** 20 }) });
 */
export function memory(options: MemoryOptions = {}): ConnectionFactory {
  return memoryFactory(options, new Map([...leaseTwins, ...entryTwins, ...lockTwins, ...purgeTwins]));
}

let named: ConnectionFactory | undefined;

/** For `memory:` a store of its own, for `memory:name` one that the process shares by name. */
export function memoryAt({ path }: Location): ConnectionFactory {
  if (path === "") return memory();
  named ??= memory();
  return named;
}
