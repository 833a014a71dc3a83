// @ts-check
import { installObstacle, installWithApt, isOnPath } from "./apt.mjs";
import { Stop } from "./run.mjs";

/**
 * @typedef {object} Need
 * @property {readonly string[]} programs alternatives; one is enough
 * @property {string} debian the package on Debian and Ubuntu
 * @property {string} brew the package on macOS
 * @property {string} [without] the consequence of its absence; the run stops when this is not given
 */

/** @type {readonly Need[]} Programs that the tests start. */
const needs = [
  { programs: ["valkey-server"], debian: "valkey-server", brew: "valkey" },
  { programs: ["valkey-sentinel"], debian: "valkey-sentinel", brew: "valkey" },
  {
    programs: ["chromium", "chromium-browser", "google-chrome"],
    debian: "chromium",
    brew: "--cask chromium",
    without: "the tests in a browser are skipped",
  },
];

/** Ensures that the programs that the tests start are on the PATH; installs Debian packages where apt-get exists. */
export function ensureNeeds() {
  for (const need of needs) {
    if (need.programs.some(isOnPath)) continue;
    const obstacle = installObstacle() ?? installWithApt(need.debian);
    if (!obstacle && need.programs.some(isOnPath)) continue;
    const lack = `${need.programs[0]} is missing: ${obstacle ?? `the package ${need.debian} does not hold it`}`;
    if (need.without) console.log(`${lack}; ${need.without}.`);
    else throw new Stop(`${lack}.\n${advice(need)}`);
  }
}

/** @param {Need} need */
function advice({ debian, brew }) {
  return [
    "Install it, then run npm test again:",
    `  macOS            brew install ${brew}`,
    `  Debian, Ubuntu   sudo apt-get install ${debian} (on Debian 12 from bookworm-backports)`,
    '  elsewhere        docker run --rm -it -v "$PWD":/app -v /app/node_modules -w /app node:24-trixie npm test',
  ].join("\n");
}
