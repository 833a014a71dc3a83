import { describe, expect, it } from "vitest";
import { iovalkey as workerdIovalkey } from "../../src/connection/iovalkey/workerd.js";
import type { ConnectionOptions, TlsOptions } from "../../src/connection/options.js";
import { sentinel as workerdSentinel } from "../../src/connection/sentinel/workerd.js";
import {
  type CacheOptions,
  ConfigurationError,
  createCache,
  createCaches,
  glide,
  glideCluster,
  iovalkey,
  sentinel,
} from "../../src/index.js";

type Location = CacheOptions["location"];
type Open = (location: Location, options: ConnectionOptions) => void;

const sentinels = [{ host: "127.0.0.1", port: 1 }];

/** Every connection factory. Each throws at once or not at all. */
const ways: Readonly<Record<string, Open>> = {
  createCache: (location, options) => void createCache({ location, ...options }),
  createCaches: (location, options) => void createCaches({ a: { location, ...options } }).a,
  "defaults of createCaches": (location, options) => void createCaches({ a: { location } }, options).a,
  "glide()": (location, options) => void createCache({ location, connectionFactory: glide(options) }),
  "glideCluster()": (location, options) => void createCache({ location, connectionFactory: glideCluster(options) }),
  "iovalkey()": (location, options) => void createCache({ location, connectionFactory: iovalkey(options) }),
  "iovalkey() in Workers": (location, options) =>
    void createCache({ location, connectionFactory: workerdIovalkey(options) }),
  "sentinel()": (location, options) =>
    void createCache({ location, connectionFactory: sentinel({ sentinels, ...options }) }),
  "sentinel() in Workers": (location, options) =>
    void createCache({ location, connectionFactory: workerdSentinel({ sentinels, ...options }) }),
};

describe.each(Object.entries(ways))("%s", (name, open) => {
  const refused = (location: Location, options: ConnectionOptions, message: RegExp) => {
    expect(() => open(location, options)).toThrow(ConfigurationError);
    expect(() => open(location, options)).toThrow(message);
  };
  const takesSeveral = !/sentinel|iovalkey/.test(name);

  it.each(["valkey://h", "redis://h:1/2", "REDIS://:secret@h", " valkey://[::1] "])(
    "refuses TLS options beside the plain scheme of %s",
    (location) => {
      const message = /option "tls" is given for .*plain text; give a valkeys:\/\/ or rediss:\/\/ URL/;
      for (const tls of [{}, { insecure: true }, { insecure: false }, { ca: "PEM" }])
        refused(location, { tls }, message);
      if (takesSeveral) refused([location, "valkey://i"], { tls: {} }, /option "tls"|differ in/);
      open("rediss://h", { tls: { insecure: true } });
      open("valkeys://h", {});
    },
  );

  it.each(["valkey://alice@h", "valkey://alice:@h", "rediss://alice@h/1", "valkey://default@h"])(
    "refuses the username without a password of %s, unless options have one",
    (location) => {
      refused(location, {}, /has a username and no password.*give option "password"/);
      open(location, { password: "secret" });
    },
  );

  it("refuses a username of the options without a password, unless the location has one", () => {
    refused("valkey://h", { username: "alice" }, /has a username and no password.*leave "username" out/);
    if (takesSeveral) refused("valkey://h,valkey://i", { username: "alice" }, /no password/);
    open("valkey://:secret@h", { username: "alice" });
    open("valkey://h", { username: "alice", password: "secret" });
    open("valkey://h", { password: "secret" });
  });

  it("refuses credentials that change beside ones that don't", () => {
    const credentials = async () => ({ password: "secret" });
    for (const [location, options] of [
      ["valkey://:secret@h", {}],
      ["valkey://alice:secret@h", {}],
      ["valkey://alice@h", {}],
      ["valkey://h", { password: "secret" }],
      ["valkey://h", { username: "alice", password: "secret" }],
      ["valkey://h", { username: "alice" }],
    ] as const)
      refused(location, { ...options, credentials }, /option "credentials" is given beside a username or a password/);
    open("valkey://h", { credentials, credentialsId: "tokens" });
  });

  it.each(["s3cret", { password: "s3cret" }, Promise.resolve()])(
    "refuses credentials that are %o, and shows none",
    (given) => {
      const options: object = { credentials: given };
      refused("valkey://h", options, /option "credentials" is .*give a function/);
      expect(() => open("valkey://h", options)).not.toThrow(/s3cret/);
    },
  );
});

describe("Unix sockets", () => {
  it.each([
    ["unix:///run/valkey.sock", { tls: {} }, /option "tls".*leave the option out/],

    ["unix:///run/valkey.sock", { username: "alice" }, /no password/],
  ] as [string, ConnectionOptions, RegExp][])("%s with %o is refused", (location, options, message) => {
    expect(() => createCache({ location, ...options })).toThrow(ConfigurationError);
    expect(() => createCache({ location, connectionFactory: iovalkey(options) })).toThrow(message);
  });
});

describe("sentinels", () => {
  it.each([sentinel, workerdSentinel])("are not logged in to with a username only", (make) => {
    expect(() => make({ sentinels, sentinelUsername: "alice" })).toThrow(ConfigurationError);
    expect(() => make({ sentinels, sentinelUsername: "alice" })).toThrow(/give option "sentinelPassword"/);
    expect(() => make({ sentinels, sentinelUsername: "alice", password: "secret" })).toThrow(/sentinelPassword/);
    make({ sentinels, sentinelUsername: "alice", sentinelPassword: "secret" });
  });
});

describe("a server's name", () => {
  it("is an option of iovalkey() only, as every other factory reports", () => {
    const tls: TlsOptions & { servername: string } = { servername: "cache.example" };
    const location = "valkeys://h";
    for (const open of [
      () => createCache({ location, tls }),
      () => glide({ tls }),
      () => glideCluster({ tls }),
      () => sentinel({ sentinels, tls }),
      () => sentinel({ sentinels, sentinelTls: tls }),
    ]) {
      expect(open).toThrow(ConfigurationError);
      expect(open).toThrow(/without "servername".*use the connection factory iovalkey\(\)/);
    }
    createCache({ location, connectionFactory: iovalkey({ tls }) });
  });

  it.each(["10.0.0.1", "::1", ""])("can't be an address such as %j", (servername) => {
    expect(() => iovalkey({ tls: { servername } })).toThrow(ConfigurationError);
  });
});
