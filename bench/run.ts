import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "../scripts/build.mjs";
import { outdated } from "../scripts/packages.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** Each is a file here that answers one question. */
const questions = [
  "basic",
  "load",
  "cold-start",
  "herd-hit",
  "definitions",
  "tags",
  "views",
  "herd",
  "near",
  "adapters",
  "stalls",
  "http",
  "http-hosts",
  "http-fetch",
  "http-soak",
  "next",
  "observability",
  "inspector",
  "durable-object",
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    before: { type: "string" },
  },
});
const unknown = positionals.filter((name) => !questions.includes(name));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(", ")}; there are ${questions.join(", ")}.`);
  process.exit(1);
}

installPackages();
await build();
linkLibrary();
const args = [...(values.quick ? ["--quick"] : []), ...values.only.flatMap((text) => ["--only", text])];
if (values.before !== undefined) args.push("--before", values.before);
for (const name of positionals.length > 0 ? positionals : questions) await run(name);
if (!values.quick && values.only.length === 0) await run("report");

/** What the library is compared with has packages of its own, installed when benches run. */
function installPackages(): void {
  const lock = readLock("package-lock.json");
  const installed = readLock("node_modules/.package-lock.json");
  const reason = installed ? outdated(lock ?? { packages: {} }, installed) : "bench/node_modules is missing";
  if (!reason) return;
  console.log(`Installing the packages of the benches: ${reason}.`);
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: folder, stdio: "inherit" });
  if (status !== 0) throw new Error("the packages of the benches can't be installed; npm's own messages are above");
}

/** The benches are a package of their own, so they find the library as its users do: in node_modules. */
function linkLibrary(): void {
  const link = `${folder}node_modules/valkey-edge-cache`;
  if (!existsSync(link)) symlinkSync("../..", link, "junction");
}

async function run(name: string): Promise<void> {
  console.log(`\n${name}`);
  const own = name === "report" ? [] : args;
  const child = spawn(process.execPath, ["--expose-gc", `${folder}${name}.ts`, ...own], { stdio: "inherit" });
  const [code] = await once(child, "exit");
  if (code !== 0) process.exitCode = 1;
}

function readLock(path: string) {
  return existsSync(folder + path) ? JSON.parse(readFileSync(folder + path, "utf8")) : undefined;
}
