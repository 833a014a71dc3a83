import { type OpenIovalkey, toSettings } from "../iovalkey/factory.js";
import type { MakeTransport } from "./factory.js";

/** Reaches sentinels and their primary over iovalkey, without a subscription: a failed command makes it ask again. */
export function overIovalkey(open: OpenIovalkey): MakeTransport {
  return (location, options, access) => {
    const { sentinels: _1, service: _2, sentinelUsername: _3, sentinelPassword: _4, sentinelTls: _5, ...own } = options;
    const servers = toSettings(location, own);
    const tls = access.tls && { ...access.tls, cert: undefined, key: undefined, servername: undefined };
    const sentinels = { ...servers, ...access, tls, database: 0 };
    return {
      openSentinel: ({ host, port }) =>
        open({ ...sentinels, name: `the sentinel at ${host}:${port}`, address: { host, port } }, undefined),
      openServers: ({ primary }) => open({ ...servers, address: primary }, undefined),
    };
  };
}
