import type { Socket } from "node:net";
import type { ListenerAccess, ListenerAddress, ListenerHandlers, ListenerSocket } from "../core/near.js";
import { toText } from "../core/text.js";
import type { AddressResolver } from "./address-map.js";
import { currentLogin, type LoginSettings } from "./credentials.js";
import { dialSocket } from "./node-socket.js";
import type { TlsOptions, TlsSettings } from "./options.js";

export interface ListenerSettings extends LoginSettings {
  readonly tls: TlsSettings | undefined;
  readonly addressMap: AddressResolver | undefined;
}

/** Why there are no listeners where valkey-glide signs the logins itself. */
export const NO_TOKEN = 'without the option "sign", elasticacheIam() gives no token to connections that listen';

/** As `node:tls` takes them. */
export function toTlsSettings({ insecure = false, ca }: TlsOptions): TlsSettings {
  return {
    insecure,
    ca: ca === undefined ? undefined : toText(ca),
    cert: undefined,
    key: undefined,
    servername: undefined,
  };
}

/**
 * Connections over `node:net` and `node:tls` that hear of changes.
 * @param key the servers, for all caches of the process
 * @param addresses where the primary may be
 * @param follows whether commands have their connection ask other servers where the primary is
 */
export function listenerAccess(
  key: string,
  settings: ListenerSettings,
  addresses: ListenerAccess["addresses"],
  follows = false,
): ListenerAccess {
  const { name, connectTimeoutMs, tls, addressMap } = settings;
  return {
    key,
    name,
    connectTimeoutMs,
    follows,
    addresses,
    login: () => currentLogin(settings),
    open: (address, handlers) => open(address, { tls, addressMap, connectTimeoutMs }, handlers),
  };
}

async function open(
  address: ListenerAddress,
  settings: Pick<ListenerSettings, "tls" | "addressMap" | "connectTimeoutMs">,
  { data, closed }: ListenerHandlers,
): Promise<ListenerSocket> {
  const socket: Socket =
    "path" in address
      ? process.getBuiltinModule("node:net").connect(address.path)
      : await dialSocket(address, settings);
  socket.setNoDelay(true).setKeepAlive(true).unref();
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    const timer = setTimeout(() => socket.destroy(), settings.connectTimeoutMs);
    timer.unref();
    socket
      .once(settings.tls ? "secureConnect" : "connect", () => {
        clearTimeout(timer);
        resolve({
          write: (text) => void socket.write(text),
          pause: () => void socket.pause(),
          resume: () => void socket.resume(),
          destroy: () => void socket.destroy(),
        });
      })
      .on("data", data)
      .on("error", (error) => {
        failure = error;
      })
      .once("close", () => {
        clearTimeout(timer);
        reject(failure ?? new Error("the connection was closed"));
        closed(failure);
      });
  });
}
