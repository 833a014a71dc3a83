import type { ConnectionFactory } from "../core/connection.js";
import { ConfigurationError } from "../core/errors.js";

/** Stands for a connection factory that this runtime can't have, so that what imports it still loads. */
export function notHere(name: string, why: string): () => ConnectionFactory {
  return () => {
    throw new ConfigurationError(`${name}() can't run here: ${why}`);
  };
}
