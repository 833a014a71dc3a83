import { describe, expect, it } from "vitest";
import { notes, npmTag, obstacles, release } from "../../scripts/release.mjs";

const changelog = `# Changelog

## Unreleased

- later

## 2.0.0

- two

## 2.0.0-rc.1 (2026-01-01)

- candidate
`;
const ready = { version: "2.0.0", locked: "2.0.0", sent: "2.0.0", changelog };

describe("a release", () => {
  it("is possible for the version that this repository has", () => {
    const own = release();
    expect(obstacles({ ...own, tag: `v${own.version}` })).toEqual([]);
  });

  it("is possible where tag, package.json, package-lock.json, the sources and CHANGELOG.md agree", () => {
    expect(obstacles({ ...ready, tag: "v2.0.0" })).toEqual([]);
    expect(obstacles(ready)).toEqual([]);
  });

  it.each([
    [{ tag: "v2.0.1" }, "the tag is v2.0.1"],
    [{ tag: "2.0.0" }, "the tag is 2.0.0"],
    [{ locked: "1.0.0" }, "package-lock.json has 1.0.0"],
    [{ sent: "1.0.0" }, "src/connection/client-info.ts has 1.0.0"],
    [{ changelog: changelog.replace("## 2.0.0\n", "## 2.0.1\n") }, 'CHANGELOG.md has no text under "## 2.0.0"'],
    [{ changelog: changelog.replace("- two", "") }, 'CHANGELOG.md has no text under "## 2.0.0"'],
  ])("is refused with the remedy where one of them differs: %j", (other, message) => {
    expect(obstacles({ ...ready, ...other })).toEqual([expect.stringContaining(message)]);
  });

  it("is refused for a version that is none", () => {
    const version = "2.0";
    expect(obstacles({ version, locked: version, sent: version, changelog: "## 2.0\n\n- text" })).toEqual([
      expect.stringContaining("write 1.2.3"),
    ]);
  });

  it("has the notes of its section, with or without a date", () => {
    expect(notes(changelog, "2.0.0")).toBe("- two");
    expect(notes(changelog, "2.0.0-rc.1")).toBe("- candidate");
    expect(notes(changelog, "2.0")).toBe("");
  });

  it("is installed by default unless it is a candidate", () => {
    expect([npmTag("2.0.0"), npmTag("2.0.0-rc.1")]).toEqual(["latest", "next"]);
  });
});
