// @ts-check
// npm run servers: the shared suites of test/contract over other servers than npm test has, from Debian's packages of
// several releases. Arguments are parts of their names; without any, all are tried. The results are in the table of
// docs/servers.md. The system stays as it is: packages are unpacked in .cache/servers, and not installed.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { isOnPath, KEYRING, mirrorOf, ownRelease } from "./apt.mjs";
import { build } from "./build.mjs";
import { ensureNeeds } from "./needs.mjs";
import { ensurePackages } from "./packages.mjs";
import { bin, mustRun, root, Stop, script } from "./run.mjs";

/** The releases of Debian, and the package in each. */
const servers = [
  { release: "bullseye", name: "redis-server" },
  { release: "bookworm", name: "redis-server" },
  { release: "trixie", name: "redis-server" },
  { release: "sid", name: "redis-server" },
  { release: "sid", name: "redict-server" },
  { release: "bookworm-backports", name: "valkey-server" },
  { release: "trixie", name: "valkey-server" },
  { release: "sid", name: "valkey-server" },
];

/** The columns of the table, and the test files of each: those of `commands` send what the server documents, as it is. */
const suites = {
  commands: ["connection/glide/contract", "connection/iovalkey/contract", "connection/sentinel/contract"],
  cache: ["cache/contract.glide", "cache/contract.glide-cluster", "cache/contract.iovalkey"],
  "herd()": ["cache/contract.herd-glide", "cache/contract.herd-cluster", "client/herd/contract.server"],
  "HTTP cache": ["http/contract"],
};

/** How long the tests of one column may take. */
const LIMIT_MS = 300_000;

const results = join(root, "bench", "results", "servers.json");

await script(async () => {
  await ensurePackages();
  ensureNeeds();
  await build();
  const wanted = process.argv.slice(2);
  const chosen = servers.filter(
    ({ release, name }) => wanted.length === 0 || wanted.some((text) => `${release}/${name}`.includes(text)),
  );
  if (chosen.length === 0) throw new Stop(`There is no server ${wanted.join(", ")}; there are ${list()}.`);
  for (const server of chosen) {
    const result = tried(server);
    const others = readResults().filter(({ release, name }) => release !== server.release || name !== server.name);
    writeFileSync(results, `${JSON.stringify({ cases: sorted([...others, result]) }, null, 2)}\n`);
  }
  await mustRun("Writing the table", join(bin, "node"), [join(root, "bench", "report.ts")]);
  return 0;
});

/** @typedef {{ release: string, name: string }} Server */
/** @typedef {{ passed: number, failed: string[] }} Count */
/** @typedef {Server & { version: string, counts: Record<string, Count> }} Result */
/** @typedef {{ testResults: { status: string, assertionResults: { status: string, fullName: string }[] }[] }} Report */

function list() {
  return servers.map(({ release, name }) => `${release}/${name}`).join(", ");
}

/** @returns {Result[]} */
function readResults() {
  return existsSync(results) ? JSON.parse(readFileSync(results, "utf8")).cases : [];
}

/** @param {readonly Result[]} cases */
function sorted(cases) {
  /** @param {Result} one */
  const place = ({ release, name }) => servers.findIndex((one) => one.release === release && one.name === name);
  return cases.toSorted((a, b) => place(a) - place(b));
}

/**
 * @param {Server} server
 * @returns {Result}
 */
function tried(server) {
  console.log(`\n${server.release}/${server.name}`);
  const folder = join(root, ".cache", "servers", `${server.release}-${server.name}`);
  try {
    const programs = unpacked(server, folder);
    const { stdout } = spawnSync(join(programs, "valkey-server"), ["--version"], { encoding: "utf8" });
    const [, version] = /v=(\S+)/.exec(stdout) ?? [];
    if (!version) throw new Stop("the program does not run");
    const counts = Object.entries(suites).map(([suite, files]) => {
      const count = counted(programs, join(folder, `${suite}.json`), files);
      console.log(`${suite}: ${count.passed} passed, ${count.failed.length} failed`);
      for (const test of count.failed) console.log(`  ${test}`);
      return [suite, count];
    });
    return { ...server, version, counts: Object.fromEntries(counts) };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    console.error(error.message);
    rmSync(folder, { recursive: true, force: true });
    return { ...server, version: `not tried: ${error.message}`, counts: {} };
  }
}

/**
 * Runs test files with a server's programs. Tests that fail are a result like others.
 * @param {string} programs
 * @param {string} report
 * @param {readonly string[]} files
 * @returns {Count}
 */
function counted(programs, report, files) {
  rmSync(report, { force: true });
  const reporters = ["--reporter=json", `--outputFile=${report}`];
  // Some tests make the store fail, which is warned of.
  const args = [
    "run",
    "--project",
    "node",
    "--silent",
    "--testTimeout",
    "5000",
    ...reporters,
    ...files.map((file) => `test/${file}.test.ts`),
  ];
  const path = [programs, bin, process.env.PATH].join(delimiter);
  spawnSync(join(bin, "vitest"), args, {
    cwd: root,
    env: { ...process.env, PATH: path },
    stdio: "inherit",
    timeout: LIMIT_MS,
  });
  if (!existsSync(report)) return { passed: 0, failed: ["did not end"] };
  /** @type {Report} */
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  const all = testResults.flatMap(({ assertionResults }) => assertionResults);
  const tests = all.filter(({ fullName }) => !/\bmemory\b/.test(fullName));
  const failed = tests.filter(({ status }) => status === "failed").map(({ fullName }) => fullName);
  // A file whose servers could not be started has failed without a test.
  const unstarted = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((one) => one.status !== "failed"),
  );
  return {
    passed: tests.filter(({ status }) => status === "passed").length,
    failed: [...failed, ...unstarted.flatMap(({ assertionResults }) => assertionResults.map((one) => one.fullName))],
  };
}

/**
 * Downloads the package with all that it depends on, and unpacks them in a folder.
 * @param {Server} server
 * @param {string} folder
 * @returns {string} the folder of its programs, under the names that the tests start
 */
function unpacked({ release, name }, folder) {
  const programs = join(folder, "bin");
  if (existsSync(programs)) return programs;
  if (!isOnPath("apt-get") || !isOnPath("dpkg-deb")) throw new Stop("Its packages take apt-get and dpkg-deb.");
  rmSync(folder, { recursive: true, force: true });
  for (const path of ["lists/partial", "archives/partial", "root"]) mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, "status"), "");
  const [base = release] = release.split("-");
  const suites = base === release ? [release] : [base, release];
  const mirror = mirrorOf(ownRelease());
  if (!mirror) throw new Stop("Its packages come from the mirror of this system, which names none: use Debian.");
  const sources = suites.map((suite) => `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`);
  writeFileSync(join(folder, "sources.list"), sources.join(""));
  const options = {
    "Dir::State": folder,
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": folder,
    "Dir::Etc::sourcelist": join(folder, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    "Debug::NoLocking": "1",
  };
  const apt = Object.entries(options).flatMap(([option, value]) => ["-o", `${option}=${value}`]);
  must("apt-get", [...apt, "-qq", "update"]);
  const kind = ["--yes", "--no-install-recommends", "--download-only"];
  must("apt-get", [...apt, "-qq", "install", ...kind, base === release ? name : `${name}/${release}`]);
  const archives = readdirSync(join(folder, "archives")).filter((file) => file.endsWith(".deb"));
  for (const file of archives) must("dpkg-deb", ["--extract", join(folder, "archives", file), join(folder, "root")]);
  rmSync(join(folder, "archives"), { recursive: true });
  rmSync(join(folder, "lists"), { recursive: true });
  return withOwnLibraries(join(folder, "root", "usr", "bin", name), folder, programs);
}

/**
 * Scripts that start a program with the libraries of its own release, the C library included.
 * @param {string} program
 * @param {string} folder
 * @param {string} programs
 */
function withOwnLibraries(program, folder, programs) {
  const files = readdirSync(join(folder, "root"), { recursive: true, withFileTypes: true }).filter((one) =>
    one.isFile(),
  );
  const loader = files.find(({ name }) => /^ld-(linux-.*\.so\.\d|\d.*\.so)$/.test(name));
  if (!loader) throw new Stop(`The packages of ${program} have no dynamic loader.`);
  const libraries = new Set(files.filter(({ name }) => /\.so(\.|$)/.test(name)).map(({ parentPath }) => parentPath));
  const command = `exec ${join(loader.parentPath, loader.name)} --library-path ${[...libraries].join(":")} ${program} "$@"`;
  mkdirSync(programs);
  for (const [name, more] of Object.entries({ "valkey-server": "", "valkey-sentinel": " --sentinel" })) {
    writeFileSync(join(programs, name), `#!/bin/sh\n${command}${more}\n`);
    chmodSync(join(programs, name), 0o755);
  }
  return programs;
}

/**
 * @param {string} program
 * @param {string[]} args
 */
function must(program, args) {
  const { status } = spawnSync(program, args, { stdio: "inherit" });
  if (status !== 0) throw new Stop(`${program} failed; its messages are above.`);
}
