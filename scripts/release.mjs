// @ts-check
// What the release workflow asks of this repository; CONTRIBUTING.md has the steps of a release.
//   node scripts/release.mjs check [TAG]   whether everything names the version of package.json, and the tag does
//   node scripts/release.mjs notes         the section of CHANGELOG.md for it
//   node scripts/release.mjs npm-tag       the tag at npm under which it is installed
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, Stop, script } from "./run.mjs";

/**
 * @typedef {object} Release
 * @property {string} version of package.json
 * @property {string} locked the version in package-lock.json
 * @property {string} sent the version that servers are sent
 * @property {string} changelog
 * @property {string} [tag]
 */

/**
 * What prevents a release; one sentence each.
 * @param {Release} release
 */
export function obstacles({ version, locked, sent, changelog, tag }) {
  const found = [];
  if (!/^\d+\.\d+\.\d+(-rc\.\d+)?$/.test(version)) {
    found.push(`package.json has the version ${version}; write 1.2.3, or 1.2.3-rc.1 before it`);
  }
  if (tag !== undefined && tag !== `v${version}`) {
    found.push(
      `the tag is ${tag}, and package.json has ${version}; tag the commit that sets the version, as v${version}`,
    );
  }
  if (locked !== version) found.push(`package-lock.json has ${locked}; run npm install --package-lock-only`);
  if (sent !== version) found.push(`src/connection/client-info.ts has ${sent}; write ${version} there`);
  if (notes(changelog, version) === "") {
    found.push(`CHANGELOG.md has no text under "## ${version}"; move the lines of "Unreleased" there`);
  }
  return found;
}

/**
 * The section of a version, without its heading; empty where there is none.
 * @param {string} changelog
 * @param {string} version
 */
export function notes(changelog, version) {
  const sections = changelog.split(/^(?=## )/m);
  const own = sections.find((section) => /^## (\S+)/.exec(section)?.[1] === version) ?? "";
  return own.replace(/^.*\n/, "").trim();
}

/**
 * Candidates are installed by those who ask for them: npm install valkey-edge-cache@next.
 * @param {string} version
 */
export const npmTag = (version) => (version.includes("-") ? "next" : "latest");

/** @returns {Release} */
export function release() {
  const read = (/** @type {string} */ path) => readFileSync(join(root, path), "utf8");
  return {
    version: JSON.parse(read("package.json")).version,
    locked: JSON.parse(read("package-lock.json")).version,
    sent: /version: "([^"]+)"/.exec(read("src/connection/client-info.ts"))?.[1] ?? "none",
    changelog: read("CHANGELOG.md"),
  };
}

if (process.argv[1] === import.meta.filename) {
  await script(async () => {
    const [what, tag] = process.argv.slice(2);
    const { version, changelog } = release();
    if (what === "notes") console.log(notes(changelog, version));
    else if (what === "npm-tag") console.log(npmTag(version));
    else if (what === "check") {
      const found = obstacles({ ...release(), ...(tag !== undefined && { tag }) });
      if (found.length > 0) throw new Stop(found.join("\n"));
      console.log(`${version} can be released, under the tag ${npmTag(version)}.`);
    } else throw new Stop("Usage: node scripts/release.mjs check [TAG] | notes | npm-tag");
    return 0;
  });
}
