import { describe, expect, it } from "vitest";
import { isPrimaryRole, isSwitchOf, toPrimary, toReplicas } from "../../../src/connection/sentinel/discovery.js";
import { ReplyError } from "../../../src/core/errors.js";
import { toBytes } from "../../../src/core/text.js";

const replica = (ip: string, port: string, flags = "slave", link = "ok"): [string, string][] => [
  ["name", `${ip}:${port}`],
  ["ip", ip],
  ["port", port],
  ["flags", flags],
  ["master-link-status", link],
];

describe("a sentinel's reply", () => {
  it("names the primary or no server", () => {
    expect(toPrimary(["10.0.0.1", "6379"])).toEqual({ host: "10.0.0.1", port: 6379 });
    expect(toPrimary([toBytes("name.test"), toBytes("7000")])).toEqual({ host: "name.test", port: 7000 });
    for (const reply of [
      null,
      [],
      ["10.0.0.1"],
      ["10.0.0.1", "no port"],
      ["", "6379"],
      ["a", "0"],
      ["a", "65536"],
      1,
    ]) {
      expect(toPrimary(reply)).toBeUndefined();
    }
  });

  it("lists replicas with their fields as pairs or flat", () => {
    const pairs = [replica("10.0.0.2", "6379"), replica("10.0.0.3", "6380")];
    const expected = [
      { host: "10.0.0.2", port: 6379 },
      { host: "10.0.0.3", port: 6380 },
    ];
    expect(toReplicas(pairs)).toEqual(expected);
    expect(toReplicas(pairs.map((fields) => fields.flat().map(toBytes)))).toEqual(expected);
  });

  it("omits replicas that are down, unknown or disconnected from the primary", () => {
    const replicas = [
      replica("a", "1", "slave,s_down"),
      replica("b", "1", "slave,disconnected"),
      replica("c", "1", "slave", "err"),
      replica("d", "1"),
    ];
    expect(toReplicas(replicas)).toEqual([{ host: "d", port: 1 }]);
    for (const reply of [null, "OK", [null], [[["ip"]]], [[1, 2]]]) expect(toReplicas(reply)).toEqual([]);
  });

  it("distinguishes a switch of the service from one of another service", () => {
    const message = "primary 10.0.0.1 6379 10.0.0.2 6379";
    expect(isSwitchOf("primary", message)).toBe(true);
    expect(isSwitchOf("prim", message)).toBe(false);
  });

  it("distinguishes a primary from a replica, and counts as a primary's if the user may not ask", () => {
    expect(isPrimaryRole([toBytes("master"), 0, []])).toBe(true);
    expect(isPrimaryRole([toBytes("slave"), toBytes("10.0.0.1"), 6379])).toBe(false);
    expect(isPrimaryRole(new ReplyError("NOPERM", "no permissions"))).toBe(true);
    expect(isPrimaryRole(new ReplyError("LOADING", "loading"))).toBe(false);
    expect(isPrimaryRole(null)).toBe(false);
  });
});
