import type { Connection } from "../../core/connection.js";
import type { Address, Location } from "../../core/location.js";
import type { ListenerAccess } from "../../core/near.js";
import { iamOf } from "../elasticache-iam.js";
import { listenerAccess, NO_TOKEN, toTlsSettings } from "../listener.js";
import { accessOf } from "../options.js";
import type { TrackWork } from "../resilience/background-work.js";
import { type MakeTransport, type SentinelOptions, toAccess, toSettings } from "./factory.js";

/** Listens to the primary that sentinels name. Each time it connects, it asks them anew. @throws {ConfigurationError} */
export function sentinelListener(
  given: Location,
  options: SentinelOptions,
  make: MakeTransport,
): ListenerAccess | string {
  const location = { ...given, replicas: false };
  const { tls, ...login } = accessOf("sentinel", location, options);
  if (iamOf(options.credentials)) return NO_TOKEN;
  const access = toAccess(options);
  const { service, sentinels, sentinelTimeoutMs, ...settings } = toSettings(location, options, access, true);
  const { openSentinel } = make({ location, access, credentials: login.credentials }, options);
  const key = `sentinel ${service} ${sentinels.map(({ host, port }) => `${host}:${port}`).join()}`;
  const locate = async () => {
    const { Sentinels } = await import("./discovery.js");
    const all = new Sentinels({
      service,
      addresses: sentinels,
      replicas: false,
      keeps: false,
      timeoutMs: sentinelTimeoutMs,
      open: (address: Address, track: TrackWork): Promise<Connection> => openSentinel(address, () => {}, track),
    });
    try {
      return [(await all.locate()).primary];
    } finally {
      await all.close();
    }
  };
  return listenerAccess(key, { ...settings, ...login, tls: tls && toTlsSettings(tls) }, locate, true);
}
