import { describe, expect, it } from "vitest";
import { type HerdOptions, herd } from "../../../src/index.js";

describe("herd", () => {
  it.each<[string, unknown, RegExp]>([
    ["grace", -1, /option "grace" is -1; give seconds/],
    ["grace", "5 minutes", /option "grace"/],
    ["lease", 0, /option "lease" is 0; give a duration above 0/],
    ["waitTimeout", "-5s", /option "waitTimeout"/],
    ["beta", -0.5, /option "beta" is -0.5; give a number from 0/],
    ["beta", Number.NaN, /option "beta" is NaN/],
    ["jitter", 1, /option "jitter" is 1; give a fraction from 0 to below 1/],
    ["retryAfter", null, /option "retryAfter" is null/],
    ["background", "yes", /option "background" is "yes"; give true or false/],
    ["hardTimeout", 0, /option "hardTimeout" is 0; give a duration above 0, or null/],
    ["timeout", 5, /unknown option "timeout"; known options are: grace, lease/],
  ])("refuses %s: %j", (name, value, message) => {
    expect(() => herd({ [name]: value } as HerdOptions)).toThrow(message);
  });

  it("takes none, and all at their limits", () => {
    herd();
    herd({
      grace: 0,
      lease: "1ms",
      waitTimeout: 0,
      beta: 0,
      jitter: 0,
      retryAfter: 0,
      background: false,
      hardTimeout: null,
    });
  });
});
