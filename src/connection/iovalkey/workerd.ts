import type { ConnectionFactory } from "../../core/connection.js";
import { openIovalkey } from "./client.js";
import { type IovalkeyOptions, iovalkeyFactory } from "./factory.js";

/**
 * As `iovalkey()` elsewhere, loaded when the Worker starts rather than with the first command: a Worker is one file, in
 * which a module that is imported late keeps bundlers from leaving out what nobody uses.
 */
export function iovalkey(options: IovalkeyOptions = {}): ConnectionFactory {
  return iovalkeyFactory(options, openIovalkey);
}
