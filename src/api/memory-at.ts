import { memory } from "../connection/memory/factory.js";
import type { ConnectionFactory } from "../core/connection.js";
import type { Location } from "../core/location.js";

let named: ConnectionFactory | undefined;

/** For `memory:` a store of its own, for `memory:name` one that the process shares by name. */
export function memoryAt({ path }: Location): ConnectionFactory {
  if (path === "") return memory();
  named ??= memory();
  return named;
}
