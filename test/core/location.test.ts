import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../../src/core/errors.js";
import { parseLocation } from "../../src/core/location.js";

describe("a location", () => {
  it.each([
    ["valkey://host", { scheme: "valkey", addresses: [{ host: "host", port: 6379 }], tls: false, database: 0 }],
    ["valkey://host:7000/3", { addresses: [{ host: "host", port: 7000 }], database: 3 }],
    ["valkeys://host", { scheme: "valkeys", tls: true }],
    ["redis://host", { scheme: "redis", tls: false }],
    ["rediss://host", { scheme: "rediss", tls: true }],
    ["VALKEY://host", { scheme: "valkey" }],
    ["  valkey://host  ", { addresses: [{ host: "host", port: 6379 }] }],
    ["valkey://host?db=4", { database: 4 }],
    ["valkey://host/4?db=4", { database: 4 }],
    ["valkey://host/?protocol=3", { protocol: 3, database: 0 }],
    ["valkey://host?protocol=2", { protocol: 2, replicas: false }],
    ["valkey://service/0?is_master=1", { replicas: false }],
    ["valkey://service/0?is_master=0", { replicas: true }],
    ["valkey://host", { protocol: undefined, username: undefined, password: undefined }],
    ["valkey://user:pass@host", { username: "user", password: "pass" }],
    ["valkey://:pass@host", { username: undefined, password: "pass" }],
    ["valkey://user:p%40%2F%3A%23%3F%25@host", { password: "p@/:#?%" }],
    ["valkey://user:p@ss@host", { password: "p@ss" }],
    ["valkey://[::1]:7000", { addresses: [{ host: "::1", port: 7000 }] }],
    ["valkey://127.0.0.1:7000", { addresses: [{ host: "127.0.0.1", port: 7000 }] }],
    ["unix:///run/valkey.sock", { scheme: "unix", path: "/run/valkey.sock", addresses: [] }],
    ["unix:///run/a%20b.sock?db=2", { path: "/run/a b.sock", database: 2 }],
    ["memory:", { scheme: "memory", path: "", addresses: [], display: "memory:" }],
    ["memory:sessions", { path: "sessions", display: "memory:sessions" }],
  ])("%s is read", (text, location) => {
    expect(parseLocation(text)).toMatchObject(location);
  });

  it("may be several servers, in a list or separated by commas", () => {
    const servers = ["valkey://u:p@a:1", "valkey://u:p@b:2", "valkey://u:p@c"];
    const addresses = [
      { host: "a", port: 1 },
      { host: "b", port: 2 },
      { host: "c", port: 6379 },
    ];
    for (const location of [servers, servers.join(","), servers.join(", ")]) {
      expect(parseLocation(location)).toMatchObject({
        addresses,
        password: "p",
        display: expect.not.stringMatching("p@"),
      });
    }
  });

  it("keeps a comma in a password", () => {
    expect(parseLocation("valkey://u:a,b:c,d@host")).toMatchObject({
      password: "a,b:c,d",
      addresses: [{ host: "host", port: 6379 }],
    });
  });

  it.each<[unknown, RegExp]>([
    ["", /schemes/],
    ["localhost:6379", /localhost:6379 has none of the schemes valkey:, valkeys:, redis:/],
    ["ftp://host", /ftp:\/\/host has none of the schemes/],
    ["host", /schemes/],
    ["valkey://", /host/],
    ["valkey:", /host|valid URL/],
    ["valkey://host:0", /port 0/],
    ["valkey://host:65536", /65536.*1 to 65535/],
    ["valkey://host:-1", /valid URL/],
    ["valkey://host:abc", /valid URL/],
    ["valkey://ho st", /valid URL/],
    ["valkey://host/one", /database "one".*whole numbers/],
    ["valkey://host/-1", /database "-1"/],
    ["valkey://host/1.5", /database/],
    ["valkey://host/1/2", /database/],
    ["valkey://host?db=one", /database "one"/],
    ["valkey://host/1?db=2", /two databases, 1 and 2/],
    ["valkey://host?protocol=4", /protocol "4"; give 2 or 3/],
    ["valkey://host?timeout=5", /unknown parameter "timeout"; known are db, protocol, is_master/],
    ["valkey://host?is_master=no", /is_master "no"; give 0 to read from replicas, or 1/],
    ["valkey://host#fragment", /percent-encode/],
    ["valkey://u:50%@host", /%25/],
    ["valkey://u:a\nb@host", /line break/],
    ["unix://", /socket/],
    ["unix:///", /socket/],
    [[], /list of URLs/],
    [[""], /schemes/],
    [["valkey://a", 5], /list of URLs/],
    [undefined, /list of URLs/],
    [null, /list of URLs/],
    [5, /list of URLs/],
    [new URL("valkey://host"), /list of URLs/],
    [["valkey://a", "memory:"], /can't be combined/],
    [["valkey://a", "unix:///s"], /can't be combined/],
    [["valkey://a", "valkeys://b"], /differ in tls/],
    [["valkey://u:p@a", "valkey://u:q@b"], /differ in password/],
    [["valkey://u:p@a", "valkey://v:p@b"], /differ in username/],
    [["valkey://a/1", "valkey://b/2"], /differ in database/],
    [["valkey://a", "valkey://b?protocol=3"], /differ in protocol/],
  ])("is not %j", (location, message) => {
    expect(() => parseLocation(location)).toThrow(ConfigurationError);
    expect(() => parseLocation(location)).toThrow(message);
    expect(() => parseLocation(location)).toThrow(/^location: /);
  });
});
