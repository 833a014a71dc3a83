import type { ConnectionFactory } from "../../core/connection.js";
import { type IovalkeyOptions, iovalkeyFactory } from "./factory.js";

/**
 * Connections over iovalkey to one server: on platforms without GLIDE, over Unix sockets, and through a connector of your
 * own. All caches of a process with equal settings share one connection. In Cloudflare Workers each invocation has its own
 * connection, made by `cache.for()`.
 * @throws {ConfigurationError} on wrong options
 * @example
 * createCache({ location: "unix:///run/valkey.sock", connectionFactory: iovalkey() });
 */
export function iovalkey(options: IovalkeyOptions = {}): ConnectionFactory {
  return iovalkeyFactory(options, async (settings, connector) => {
    const { openIovalkey } = await import("./client.js");
    return openIovalkey(settings, connector);
  });
}
