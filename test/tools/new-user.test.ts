import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { type ConsoleStep, curl, stepsOf } from "../support/curl.js";
import { docsBlocks, documented } from "../support/docs.js";
import { writePrinted } from "../support/guides.js";
import { freePort, HOST } from "../support/ports.js";
import { manifest, runtime } from "../support/project.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

/** What a new user does with a page, in an empty folder. What is installed is in the page's own lines. */
interface Guide {
  readonly page: string;
  /** Files to write: their names, and a text of their blocks. */
  readonly files: Readonly<Record<string, string>>;
  /** Lines of the page that build the application. */
  readonly build?: readonly string[];
  /** The line of the page that starts a server. Pages without one have a program to run. */
  readonly start?: string;
  /** The port in the page. @default "3000" */
  readonly port?: string;
  /** The option of the line that sets the port, where no file has it. */
  readonly portOption?: string;
  /** Texts of the blocks with commands and what they print, in the order of the page. */
  readonly shown: readonly string[];
  /** A runtime that is no package of the page. */
  readonly runtime?: "bun" | "deno";
}

const SERVER = { files: { "server.ts": "// server.ts" }, start: "node server.ts", shown: ["$ curl"] };

const GUIDES: readonly Guide[] = [
  { page: "start.md", files: { "start.js": "loadCity" }, shown: ["$ node start.js"] },
  { page: "guides/express.md", ...SERVER },
  { page: "guides/fastify.md", ...SERVER },
  { page: "guides/hono.md", ...SERVER },
  { page: "guides/bun.md", ...SERVER, start: "bun server.ts", runtime: "bun" },
  {
    page: "guides/deno.md",
    ...SERVER,
    start: "deno run --allow-net --allow-env=VALKEY_URL server.ts",
    runtime: "deno",
  },
  {
    page: "guides/lambda.md",
    files: { "handler.ts": "// handler.ts", "invoke.mjs": "// invoke.mjs" },
    build: ["npx esbuild handler.ts --bundle --platform=node --format=esm --outfile=index.mjs"],
    shown: ["$ node invoke.mjs"],
  },
  {
    page: "guides/workers.md",
    files: { "src/index.ts": "// src/index.ts", "wrangler.toml": "# wrangler.toml" },
    start: "npx wrangler dev",
    port: "8787",
    portOption: "--port",
    shown: ["$ curl"],
  },
];

const execute = promisify(execFile);

describe("in an empty project, with the packed package", () => {
  it.each(GUIDES)("docs/$page runs as printed", async (guide) => {
    const { page, files, build = [], start, port = "3000", portOption, shown } = guide;
    await using server = await startValkey();
    const project = await openProject(guide, server.url);
    for (const line of setUpLines(page)) await project.run(line);
    const ownPort = String(await freePort());
    for (const [name, text] of Object.entries(files)) {
      writePrinted({ name, code: documented(page, text).code }, project.folder, { [port]: ownPort });
    }
    for (const line of build) await project.run(onPage(page, line));
    const options = portOption ? ` ${portOption} ${ownPort}` : "";
    if (start) await project.start(onPage(page, start) + options, ownPort);
    const steps = shown.flatMap((text) => stepsOf(documented(page, text).code));
    expect(steps.length).toBeGreaterThan(0);
    for (const { command, printed } of steps) {
      const address = { [`localhost:${port}`]: `${HOST}:${ownPort}` };
      const lines = command.startsWith("curl ") ? await curl(command, address) : linesOf(await project.run(command));
      expect(comparable(lines), command).toEqual(comparable(printed));
    }
  });
});

/** The line, which has to be on the page: in a block for shells, or as a command of a console. */
function onPage(page: string, line: string): string {
  const lines = docsBlocks(page).flatMap(({ code }) => code.split("\n").map((one) => one.replace(/^\$ /, "")));
  expect(lines, `docs/${page}`).toContain(line);
  return line;
}

/** The page's lines that make a project and install packages, with the packed package in place of the published one. */
function setUpLines(page: string): string[] {
  const lines = docsBlocks(page).flatMap(({ language, code }) => (language === "sh" ? code.split("\n") : []));
  const setUp = lines.filter((line) => /^(?:npm (?:init|pkg|install)|bun add) /.test(line));
  const words = setUp.map((line) => line.split(" ").map((word) => (word === manifest.name ? inject("tarball") : word)));
  expect(words.flat(), `docs/${page} installs the package`).toContain(inject("tarball"));
  return words.map((line) => [...line, ...(line[1] === "install" ? QUIET : [])].join(" "));
}

const QUIET = ["--prefer-offline", "--no-audit", "--no-fund"];

const linesOf = (text: string) => text.trimEnd().split("\n");

/** Without what depends on the machine: the seconds that are left, and the time that something took. */
const comparable = (lines: readonly string[]): ConsoleStep["printed"] =>
  lines.map((line) => line.replace(/ttl=\d+/, "ttl=…").replace(/after \d+ ms/, "after … ms"));

/** An empty folder outside of this project, and a shell in it that has nothing of this project. */
async function openProject({ runtime: needed }: Guide, url: string) {
  const folder = mkdtempSync(join(tmpdir(), "new-user-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // Node's own folder and that of a runtime, but not the tools of this project.
  const programs = [dirname(process.execPath), ...(needed ? [dirname((await runtime(needed)) ?? "")] : [])];
  const system = (process.env.PATH ?? "").split(delimiter).filter((path) => !path.includes("node_modules"));
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !/^(?:npm_(?!config_(?:registry|userconfig|cache)$)|VITEST|NODE_ENV$|NODE_OPTIONS$|INIT_CWD$)/.test(name),
  );
  const env = {
    ...Object.fromEntries(inherited),
    PATH: [...programs, ...system].join(delimiter),
    VALKEY_URL: url,
    NO_COLOR: "1",
    WRANGLER_SEND_METRICS: "false",
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    // With the banner it asks for its newest version.
    WRANGLER_HIDE_BANNER: "true",
  };
  // Pages that don't say how a project is made need one of ES modules.
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  return {
    folder,
    async run(line: string): Promise<string> {
      const { stdout } = await execute("sh", ["-c", line], { cwd: folder, env, timeout: 120_000 }).catch((error) => {
        throw new Error(`${line} failed\n${error.stdout}${error.stderr}`);
      });
      return stdout;
    },
    async start(line: string, port: string): Promise<void> {
      const log = join(folder, "log");
      const output = openSync(log, "a");
      // A group of its own, as `npx` and what it runs start others, which don't end with it.
      const child = spawn("sh", ["-c", line], { cwd: folder, env, detached: true, stdio: ["ignore", output, output] });
      closeSync(output);
      onTestFinished(() => endGroup(child));
      // No request, which an application might count.
      await until(() => child.exitCode !== null || accepts(Number(port)), { what: line, timeoutMs: 60_000 });
      expect(child.exitCode, readFileSync(log, "utf8")).toBeNull();
    },
  };
}

/** Whether something listens on a port. */
async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, HOST);
  const isOpen = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isOpen;
}

/** Ends a process with all that it has started: by SIGTERM, then by SIGKILL. */
async function endGroup({ pid }: ChildProcess): Promise<void> {
  if (pid === undefined) return;
  /** Whether there was a process to send it to. */
  const send = (signal: NodeJS.Signals | 0) => {
    try {
      return process.kill(-pid, signal);
    } catch {
      return false;
    }
  };
  send("SIGTERM");
  await until(() => !send(0), { what: "the end of the application", timeoutMs: 10_000 }).catch((error) => {
    send("SIGKILL");
    throw error;
  });
}
