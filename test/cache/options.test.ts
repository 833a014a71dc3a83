import { describe, expect, it } from "vitest";
import {
  type CacheOptions,
  ConfigurationError,
  createCache,
  defaultClient,
  glide,
  glideCluster,
  herd,
  identity,
  json,
  memory,
  nearCache,
} from "../../src/index.js";

const wrong = (options: object) => () => createCache({ location: "memory:", ...options } as CacheOptions);
const onServer = (options: object) => () =>
  createCache({ location: "valkey://127.0.0.1:1", ...options } as CacheOptions);

/** The option, what it must not be, and what the message tells of what it may be. */
const WRONG: [option: string, values: unknown[], allowed: RegExp][] = [
  [
    "ttl",
    ["5 parsecs", "5", "", Number.NaN, Number.POSITIVE_INFINITY, true, {}, [], 5n],
    /seconds as a number.*"5m".*null/,
  ],
  ["keyPrefix", [5, null, {}], /a string/],
  ["version", [1.5, "1", null, Number.NaN], /a whole number/],
  ["keyFunction", ["f", null, {}], /a function/],
  ["reverseKeyFunction", ["f", 5], /a function/],
  ["client", [{}, "herd", null, 5], /defaultClient\(\)/],
  ["connectionFactory", ["glide", {}, () => memory(), { connect: true }], /a connection factory such as glide\(\)/],
  ["serializer", ["json", json, { serialize() {} }, {}], /a serializer such as json\(\)/],
  ["compressor", ["zlib", identity, { compress() {} }, {}], /a compressor such as zlib\(\)/],
  ["maxDecompressedSize", [0, -1, 1.5, "64 MiB", Number.POSITIVE_INFINITY], /a whole number above 0/],
  ["scanCount", [0, -5, 0.5, "10"], /a whole number above 0/],
  ["ignoreErrors", ["yes", 1, null], /true or false/],
  ["onError", ["log", {}, null], /a function/],
];

const WRONG_CONNECTION: [option: string, values: unknown[], allowed: RegExp][] = [
  ["username", [5, "", null], /a string that is not empty/],
  ["password", [5, "", {}], /a string that is not empty/],
  ["connectTimeout", [0, -1, "soon", null, Number.NaN, {}], /seconds.*|a duration above 0/],
  ["commandTimeout", [0, -1, "soon", null, "1 x"], /seconds.*|a duration above 0/],
  ["maxIdle", [0, -1, "soon", {}], /null/],
  ["readFrom", ["replica", "Primary", 5], /"primary" or "preferReplica" or "AZAffinity"/],
  ["clientAz", [5, ""], /a string/],
  ["tls", ["yes", 5, null, { rejectUnauthorized: false }, { ca: "" }, { insecure: "yes" }], /with any of insecure, ca/],
];

function refusal(make: () => unknown): Error {
  try {
    make();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was refused");
}

describe("options of a cache", () => {
  it.each([...WRONG, ...WRONG_CONNECTION])(
    "are refused when %s is wrong, with what is allowed",
    (option, values, allowed) => {
      for (const value of values) {
        const error = refusal(onServer({ [option]: value }));
        expect(error).toBeInstanceOf(ConfigurationError);
        expect(error.message).toContain(`option "${option}" is `);
        expect(error.message).toMatch(allowed);
      }
    },
  );

  it("are refused with the wrong value itself", () => {
    expect(wrong({ ttl: "5 parsecs" })).toThrow('createCache: option "ttl" is "5 parsecs"; give ');
    expect(wrong({ scanCount: -5 })).toThrow('option "scanCount" is -5');
    expect(wrong({ client: new Map() })).toThrow('option "client" is an instance of Map');
  });

  it.each([
    ["herd", { client: herd }],
    ["defaultClient", { client: defaultClient }],
    ["nearCache", { nearCache }],
  ])("are refused when %s is given without being called, and say so", (name, options) => {
    expect(onServer(options)).toThrow(ConfigurationError);
    expect(onServer(options)).toThrow(`createCache: ${name} is given as a function; call it: ${name}()`);
  });

  it("are refused when they are no object, with their names and without a password", () => {
    const given: unknown = "valkey://:sekret@localhost:6379";
    const error = refusal(() => createCache(given as CacheOptions));
    expect(error.message).toMatch(/^createCache: options must be an object, not .*; give one with any of: .*location/);
    expect(error.message).not.toContain("sekret");
  });

  it("are refused when unknown, with those that are known", () => {
    expect(wrong({ timeout: 5 })).toThrow(ConfigurationError);
    expect(wrong({ timeout: 5 })).toThrow(/unknown option "timeout"; known options are: .*ttl.*keyPrefix/);
  });

  it.each([undefined, null, 5, "memory:", []])("are refused when they are none: %j", (options) => {
    expect(() => createCache(options as unknown as CacheOptions)).toThrow(ConfigurationError);
  });

  it.each([undefined, null, 5, "", "localhost", "http://localhost", "valkey://host:99999", [], {}])(
    "are refused without a good location: %j",
    (location) => {
      expect(wrong({ location })).toThrow(ConfigurationError);
      expect(wrong({ location })).toThrow(/location/);
    },
  );

  it("are refused where a connection factory would not see them", () => {
    for (const option of [{ commandTimeout: 5 }, { password: "p" }, { readFrom: "primary" }, { tls: {} }]) {
      const [name] = Object.keys(option);
      expect(onServer({ ...option, connectionFactory: glide() })).toThrow(ConfigurationError);
      expect(onServer({ ...option, connectionFactory: glide() })).toThrow(
        new RegExp(`option "${name}" belongs to the connection factory; give it there`),
      );
    }
  });

  it("are refused where the connection factory can't serve the location", () => {
    expect(wrong({ connectionFactory: glide() })).toThrow(/glide\(\) can't serve memory:.*memory\(\)/);
    expect(wrong({ connectionFactory: glideCluster() })).toThrow(/glideCluster\(\) can't serve memory:/);
    expect(onServer({ connectionFactory: memory() })).toThrow(/valkey:\/\/127\.0\.0\.1:1/);
    for (const make of [wrong({ connectionFactory: glide() }), onServer({ connectionFactory: memory() })]) {
      expect(make).toThrow(ConfigurationError);
    }
  });

  it("that are undefined are as if not given", () => {
    const options = Object.fromEntries([...WRONG, ...WRONG_CONNECTION].map(([name]) => [name, undefined]));
    expect(onServer(options)).not.toThrow();
  });

  it("that belong to a server are no hindrance in memory", () => {
    expect(wrong({ commandTimeout: "5s", password: "p" })).not.toThrow();
  });

  it("are never written to", () => {
    const options = Object.freeze({ location: "memory:", ttl: 5, tls: Object.freeze({}) });
    expect(() => createCache(options)).not.toThrow();
    expect(options).toEqual({ location: "memory:", ttl: 5, tls: {} });
  });
});

describe("options of a connection factory", () => {
  it.each(WRONG_CONNECTION)("are refused when %s is wrong, with what is allowed", (option, values, allowed) => {
    for (const make of [glide, glideCluster]) {
      for (const value of values) {
        const error = refusal(() => make({ [option]: value }));
        expect(error).toBeInstanceOf(ConfigurationError);
        expect(error.message).toMatch(new RegExp(`^${make.name}: option "${option}" is `));
        expect(error.message).toMatch(allowed);
      }
    }
  });

  it("are refused when unknown, or when they are none", () => {
    for (const make of [glide, glideCluster, memory]) {
      expect(() => make({ size: 5 } as object)).toThrow(/unknown option "size"/);
      for (const none of [null, 5, "text"]) expect(() => make(none as unknown as object)).toThrow(ConfigurationError);
    }
    expect(() => glide({ logLevel: "loud" as "off" })).toThrow(/"off" or "error" or "warn"/);
  });
});
