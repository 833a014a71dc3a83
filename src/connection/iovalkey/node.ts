import type { ConnectionFactory } from "../../core/connection.js";
import { type IovalkeyOptions, iovalkeyFactory } from "./factory.js";

/**
 * Connections over iovalkey to one server: where GLIDE can't be, over Unix sockets, and through a dial of your own.
 * All caches of a process with equal settings share one connection. In Cloudflare Workers each invocation has one of its
 * own, made by `cache.for()`.
 * @throws {ConfigurationError} on wrong options
 */
export function iovalkey(options: IovalkeyOptions = {}): ConnectionFactory {
  return iovalkeyFactory(options, async (settings, connector) => {
    const { openIovalkey } = await import("./client.js");
    return openIovalkey(settings, connector);
  });
}
