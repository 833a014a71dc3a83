import { toSettings } from "./iovalkey-factory.js";
import type { MakeTransport } from "./sentinel-factory.js";

/** Sentinels and their primary over iovalkey, which can't be told of failovers: what fails makes it ask again. */
export const overIovalkey: MakeTransport = (location, options, access) => {
  const {
    sentinels: _sentinels,
    service: _service,
    sentinelUsername: _username,
    sentinelPassword: _password,
    sentinelTls: _tls,
    ...own
  } = options;
  const servers = toSettings(location, own);
  const tls = access.tls && { ...access.tls, cert: undefined, key: undefined, servername: undefined };
  const open = async (settings: typeof servers) => {
    const { openIovalkey } = await import("./iovalkey-client.js");
    return openIovalkey(settings, undefined);
  };
  return {
    openSentinel: ({ host, port }) =>
      open({
        ...servers,
        ...access,
        tls,
        name: `the sentinel at ${host}:${port}`,
        address: { host, port },
        database: 0,
      }),
    openServers: ({ primary }) => open({ ...servers, address: primary }),
  };
};
