import type { ConnectionFactory } from "../../core/connection.js";
import { listenerAccess } from "../listener.js";
import { withAuthorities } from "../node-socket.js";
import { renewInTime } from "../renewal.js";
import { nameFactory } from "../topology.js";
import { type IovalkeyOptions, iovalkeyFactory, type OpenIovalkey, toSettings } from "./factory.js";

/**
 * Connections over iovalkey to one server: on platforms without GLIDE, over Unix sockets, and through a connector of your
 * own. All caches of a process with equal settings share one connection. In Cloudflare Workers each invocation has its own
 * connection, made by `cache.for()`.
 * @throws {ConfigurationError} on wrong options
 * @example
 * createCache({ location: "unix:///run/valkey.sock", connectionFactory: iovalkey() });
 */
export function iovalkey(options: IovalkeyOptions = {}): ConnectionFactory {
  const factory = iovalkeyFactory(options, openOnNode, { explain: nameFactory, prepare: loadClient });
  return {
    ...factory,
    listener(location) {
      // The application's own way to connect has no place for a second kind of connection.
      if (!factory.shares || options.connector) return undefined;
      const settings = toSettings(location, options);
      const { address } = settings;
      const key = "path" in address ? address.path : `${address.host}:${address.port}`;
      return listenerAccess(key, settings, async () => [address]);
    },
  };
}

export const loadClient = () => import("./client.js");

/** Loads the client late, and keeps it logged in while it is open. */
export const openOnNode: OpenIovalkey = async (settings, connector, retire) => {
  const { openIovalkey } = await loadClient();
  return openIovalkey({ ...settings, tls: await withAuthorities(settings.tls) }, connector, retire, renewInTime);
};
