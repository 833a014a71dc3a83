import type { ConnectionFactory } from "../../core/connection.js";
import { openIovalkey } from "./client.js";
import { type IovalkeyOptions, iovalkeyFactory } from "./factory.js";

/**
 * Like `iovalkey()` on other hosts, but loaded when the Worker starts and not with the first command. A Worker is one file,
 * and a dynamic import would keep bundlers from removing unused code.
 */
export function iovalkey(options: IovalkeyOptions = {}): ConnectionFactory {
  return iovalkeyFactory(options, openIovalkey);
}
