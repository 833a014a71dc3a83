// @ts-check
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const BACKPORTS_FILE = "/etc/apt/sources.list.d/valkey-edge-cache-backports.sources";
export const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Package lists are fetched once per run. */
let areListsFresh = false;

/** The reason why apt-get can't install packages here; undefined where it can. */
export function installObstacle() {
  if (!isOnPath("apt-get")) return "there is no apt-get here to install it with";
  return sudo() ? undefined : "installing it takes root, or a sudo that asks for no password";
}

/**
 * Installs a Debian package.
 * @param {string} name
 * @returns {string | undefined} why it could not be installed
 */
export function installWithApt(name) {
  console.log(`Installing ${name} with apt-get.`);
  if (!areListsFresh) apt(["update", "-qq"]);
  areListsFresh = true;
  if (!isAvailable(name) && !addBackports()) return `this system's package sources have no ${name}`;
  if (!apt(["install", "-qq", "--no-install-recommends", name])) return `apt-get could not install ${name}`;
  stopService(name);
  return undefined;
}

/** Debian 12 has Valkey only in its backports. They come from the mirror of its other packages. */
function addBackports() {
  const release = ownRelease();
  const mirror = release === "bookworm" ? mirrorOf(release) : undefined;
  if (!mirror) return false;
  const source = ["Types: deb", `URIs: ${mirror}`, `Suites: ${release}-backports`, "Components: main"];
  if (existsSync(KEYRING)) source.push(`Signed-By: ${KEYRING}`);
  console.log(`Adding ${release}-backports, in ${BACKPORTS_FILE}.`);
  return asRoot("sh", ["-c", `cat > ${BACKPORTS_FILE}`], { input: `${source.join("\n")}\n` }) && apt(["update", "-qq"]);
}

/** The code name of this system's release. */
export function ownRelease() {
  return /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "";
}

/**
 * Where a release of Debian comes from here.
 * @param {string} release
 */
export function mirrorOf(release) {
  const wanted = ["Created-By: Packages", "Origin: Debian", `Codename: ${release}`, "Component: main"];
  const found = spawnSync("apt-get", ["indextargets", "--format", "$(REPO_URI)", ...wanted], { encoding: "utf8" });
  return found.stdout.split("\n")[0] || undefined;
}

/** @param {string} name */
function isAvailable(name) {
  const policy = spawnSync("apt-cache", ["policy", name], { encoding: "utf8", env: { ...process.env, LC_ALL: "C" } });
  return /^\s*Candidate: (?!\(none\))/m.test(policy.stdout);
}

/**
 * Stops the service that Debian starts after an installation. The tests start servers of their own.
 * @param {string} name
 */
function stopService(name) {
  const isQuiet = { output: /** @type {const} */ ("ignore") };
  if (existsSync("/run/systemd/system")) asRoot("systemctl", ["disable", "--now", name], isQuiet);
  else if (existsSync(`/etc/init.d/${name}`)) asRoot("service", [name, "stop"], isQuiet);
}

/** @param {string[]} args */
function apt(args) {
  const options = ["-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"];
  return asRoot("env", ["DEBIAN_FRONTEND=noninteractive", "apt-get", ...options, ...args]);
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {{ input?: string, output?: "inherit" | "ignore" }} [options]
 */
function asRoot(program, args, { input = "", output = "inherit" } = {}) {
  const [command = program, ...rest] = [...(sudo() ?? []), program, ...args];
  return spawnSync(command, rest, { input, stdio: ["pipe", output, output] }).status === 0;
}

/** The prefix that runs a command as root; undefined where that would ask for a password. */
function sudo() {
  if (process.getuid?.() === 0) return [];
  return spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0 ? ["sudo", "-n"] : undefined;
}

/** @param {string} program */
export function isOnPath(program) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
