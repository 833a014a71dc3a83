import { describe, expect, it } from "vitest";
import { checkMachineNode, outdated } from "../../scripts/packages.mjs";

describe("outdated() compares the installed packages with the lock file", () => {
  const lock = {
    packages: {
      "": {},
      "node_modules/a": { version: "1.0.0" },
      "node_modules/a/node_modules/b": { version: "2.0.0" },
      "node_modules/for-another-platform": { version: "3.0.0", optional: true },
    },
  };
  const installed = (versions: Record<string, string>) => ({
    packages: Object.fromEntries(
      Object.entries(versions).map(([name, version]) => [`node_modules/${name}`, { version }]),
    ),
  });

  it("and accepts the packages of the lock file, with or without optional ones", () => {
    expect(outdated(lock, installed({ a: "1.0.0", "a/node_modules/b": "2.0.0" }))).toBeUndefined();
  });

  it("and accepts additional packages", () => {
    expect(outdated(lock, installed({ a: "1.0.0", "a/node_modules/b": "2.0.0", c: "1.0.0" }))).toBeUndefined();
  });

  it("and reports a missing package and a different version", () => {
    expect(outdated(lock, installed({ "a/node_modules/b": "2.0.0" }))).toBe("a is missing, 1.0.0 is wanted");
    expect(outdated(lock, installed({ a: "1.0.0", "a/node_modules/b": "2.1.0" }))).toBe("b is 2.1.0, 2.0.0 is wanted");
  });

  it("and reports an optional package of a different version", () => {
    const other = installed({ a: "1.0.0", "a/node_modules/b": "2.0.0", "for-another-platform": "4.0.0" });
    expect(outdated(lock, other)).toBe("for-another-platform is 4.0.0, 3.0.0 is wanted");
  });
});

it.each(["20.19.0", "20.20.2", "22.0.0", "24.21.0"])("npm test accepts Node %s", (version) => {
  expect(() => checkMachineNode(version)).not.toThrow();
});

it.each(["18.20.8", "20.18.3"])("npm test asks for a newer version than Node %s", (version) => {
  expect(() => checkMachineNode(version)).toThrow(`This is Node ${version}; install Node 20.19 or later.`);
});
