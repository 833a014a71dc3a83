// @ts-check
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bin, mustRun, root, Stop } from "./run.mjs";

/** @typedef {{ packages: Record<string, { version?: string, optional?: boolean }> }} Lock */

const OLDEST_NODE = [20, 19];

/** Installs the packages of package-lock.json unless they are installed already. */
export async function ensurePackages() {
  checkMachineNode(process.versions.node);
  const lock = await ensureLocked(".");
  checkPinnedNode(lock?.packages["node_modules/node"]?.version ?? "");
}

/** Installs the bundlers, package managers and frameworks that test/tools uses, and what builds the site, unless they are installed. */
export async function ensureTools() {
  // Their programs come in packages, so no script has to fetch them.
  await ensureLocked("test/tools", "--ignore-scripts");
  // Apart, as what it needs is not what the tools need.
  await ensureLocked("test/tools/keyv-suite", "--ignore-scripts");
  await ensureDocs();
}

/** Installs what builds the site, unless it is installed already. */
export async function ensureDocs() {
  await ensureLocked("docs", "--ignore-scripts");
}

/**
 * @param {string} folder with a package-lock.json
 * @param {string[]} options of npm
 */
async function ensureLocked(folder, ...options) {
  const lock = readLock(join(folder, "package-lock.json"));
  const modules = join(folder, "node_modules");
  const installed = readLock(join(modules, ".package-lock.json"));
  const reason = installed ? outdated(lock ?? { packages: {} }, installed) : `${modules} is missing`;
  if (reason) {
    console.log(`Installing packages: ${reason}.`);
    const { command, args } = npm();
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    const prefix = ["--prefix", join(root, folder)];
    await mustRun("Installing packages", command, [...args, "ci", ...prefix, "--include=dev", ...quiet, ...options]);
  }
  return lock;
}

/**
 * The first difference between the installed packages and the lock file; undefined when there is none.
 * Optional packages may be absent, as most are for other platforms.
 * @param {Lock} lock
 * @param {Lock} installed the lock file that npm writes into node_modules
 */
export function outdated(lock, installed) {
  for (const [path, wanted] of Object.entries(lock.packages)) {
    if (path === "") continue;
    const found = installed.packages[path];
    if (!found && wanted.optional) continue;
    if (found?.version !== wanted.version) {
      return `${path.replace(/^.*node_modules\//, "")} is ${found?.version ?? "missing"}, ${wanted.version} is wanted`;
    }
  }
  return undefined;
}

/** @param {string} version */
export function checkMachineNode(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new Stop(`This is Node ${version}; install Node ${OLDEST_NODE.join(".")} or later.`);
}

/**
 * Checks the Node that the scripts run on: the lock file pins it, and its package's install script downloads it.
 * @param {string} wanted
 */
function checkPinnedNode(wanted) {
  const program = join(bin, "node");
  let found = "missing";
  try {
    found = execFileSync(program, ["-p", "process.versions.node"], { encoding: "utf8" }).trim();
  } catch {
    // The message below has the remedy for a program that is missing or can't run.
  }
  if (found === wanted) return;
  throw new Stop(
    `node_modules/.bin/node is ${found}, and ${wanted} is wanted: the install script of the package "node" has not run.\n` +
      'Turn "ignore-scripts" off (npm config get ignore-scripts), delete node_modules and try again.',
  );
}

/** The npm that runs this script, or the one on the PATH. */
function npm() {
  const { npm_execpath: cli, npm_node_execpath: node } = process.env;
  return cli && node && /npm-cli\.c?js$/.test(cli) ? { command: node, args: [cli] } : { command: "npm", args: [] };
}

/**
 * @param {string} path
 * @returns {Lock | undefined}
 */
function readLock(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), "utf8"));
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT") return undefined;
    throw error;
  }
}
