import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { command } from "../support/command.js";
import { type ConsoleStep, curl, stepsOf } from "../support/curl.js";
import { docsBlocks, documented } from "../support/docs.js";
import { type PrintedFile, printedFiles, writePrinted } from "../support/guides.js";
import { freePort, HOST } from "../support/ports.js";
import { manifest, runtime } from "../support/project.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

/** The server's address in the pages. */
const ADDRESS = "valkey://localhost:6379";

/** The address of a deployment in the pages. */
const PROJECT = "https://your-project.vercel.app";

/** Calls the function as Vercel does: with a request context, which `@vercel/functions` looks for. */
const VERCEL = `
  import { createServer } from "node:http";
  import { GET } from "./api/report.ts";

  globalThis[Symbol.for("@vercel/request-context")] = { get: () => ({ waitUntil: (work) => void work }) };
  createServer(async ({ url }, response) => {
    response.end(await (await GET(new Request(new URL(url, "${PROJECT}")))).text());
  }).listen(process.env.PORT, "${HOST}");
`;

/** What a new user does with a page, in an empty folder. What is installed is in the page's own lines. */
interface Guide {
  readonly page: string;
  /** Files besides those that begin with their names: their names, and a text of their blocks. */
  readonly files?: Readonly<Record<string, string>>;
  /** Lines of the page that build the application. */
  readonly build?: readonly string[];
  /** The line of the page that starts a server. Pages without one have a program to run. */
  readonly start?: string;
  /** The port in the page. @default "3000" */
  readonly port?: string;
  /** The option of the line that sets the port, where neither a file nor the variable `PORT` does. */
  readonly portOption?: string;
  /** A text of the block with the commands and what they print. @default "$ curl" */
  readonly shown?: string;
  /** A file that stands for a host which can't be had here; `node` runs it. */
  readonly host?: PrintedFile;
  /** A runtime that is no package of the page. */
  readonly runtime?: "bun" | "deno";
}

const GUIDES: readonly Guide[] = [
  { page: "start.md", files: { "start.js": "loadCity" }, shown: "$ node start.js" },
  { page: "guides/express.md", start: "node server.ts" },
  { page: "guides/fastify.md", start: "node server.ts" },
  { page: "guides/hono.md", start: "node server.ts" },
  {
    page: "guides/nestjs.md",
    files: { "tsconfig.json": "compilerOptions" },
    build: ["npx tsc"],
    start: "node dist/main.js",
  },
  { page: "guides/nitro-nuxt.md", build: ["npx nitropack build"], start: "node .output/server/index.mjs" },
  {
    page: "guides/nextjs.md",
    build: ["npx next build"],
    start: `VALKEY_URL=${ADDRESS} npx next start`,
  },
  { page: "guides/bun.md", start: "bun server.ts", runtime: "bun" },
  { page: "guides/deno.md", start: "deno run --allow-net --allow-env=VALKEY_URL server.ts", runtime: "deno" },
  {
    page: "guides/lambda.md",
    build: ["npx esbuild handler.ts --bundle --platform=node --format=esm --outfile=index.mjs"],
    shown: "$ node invoke.mjs",
  },
  { page: "guides/vercel.md", host: { name: "vercel.mjs", code: VERCEL }, start: "vercel deploy" },
  { page: "guides/workers.md", start: "npx wrangler dev", port: "8787", portOption: "--port" },
];

const execute = promisify(execFile);

describe("in an empty project, with the packed package", () => {
  it.for(GUIDES)("docs/$page runs as printed", async (guide, { skip }) => {
    if (guide.runtime)
      skip((await runtime(guide.runtime)) === undefined, "the runtime has no package for this platform");
    const { page, host, build = [], start, port = "3000", portOption, shown = "$ curl" } = guide;
    await using server = await startValkey();
    const ownPort = String(await freePort());
    const project = await openProject(guide, ownPort);
    for (const line of setUpLines(page)) await project.run(line);
    // The port first, as the server's address may have the same digits.
    const texts = { [port]: ownPort, [ADDRESS]: server.url };
    for (const file of filesOf(guide)) writePrinted(file, project.folder, texts);
    for (const line of build) await project.run(onPage(page, line));
    const options = portOption ? ` ${portOption} ${ownPort}` : "";
    const line = start && onPage(page, start).replace(ADDRESS, server.url) + options;
    if (line) await project.start(host ? `node ${host.name}` : line);
    const steps = stepsOf(documented(page, shown).code);
    expect(steps.length).toBeGreaterThan(0);
    for (const { command: typed, printed } of steps) {
      const own = `${HOST}:${ownPort}`;
      const address = { [`http://localhost:${port}`]: `http://${own}`, [PROJECT]: `http://${own}` };
      const lines = typed.startsWith("curl ") ? await curl(typed, address) : linesOf(await project.run(typed));
      expect(comparable(lines), `${typed}\n${project.log()}`).toEqual(comparable(printed));
    }
    expect(await command(server.port, ["DBSIZE"]), "what is stored").toBeGreaterThan(0);
  });
});

/** The files of a page, each name once. */
function filesOf({ page, host, files = {} }: Guide): PrintedFile[] {
  const named = printedFiles(page);
  const first = named.filter(({ name }, index) => named.findIndex((other) => other.name === name) === index);
  if (host) first.push(host);
  return [...first, ...Object.entries(files).map(([name, text]) => ({ name, code: documented(page, text).code }))];
}

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
async function openProject({ runtime: needed }: Guide, port: string) {
  const folder = mkdtempSync(join(tmpdir(), "new-user-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // Node's own folder and that of a runtime, but not the tools of this project.
  const programs = [dirname(process.execPath), ...(needed ? [dirname((await runtime(needed)) ?? "")] : [])];
  const system = (process.env.PATH ?? "").split(delimiter).filter((path) => !path.includes("node_modules"));
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !/^(?:npm_(?!config_(?:registry|userconfig|cache)$)|VITEST|NODE_ENV$|NODE_OPTIONS$|INIT_CWD$|VALKEY_URL$)/.test(
        name,
      ),
  );
  const env = {
    ...Object.fromEntries(inherited),
    PATH: [...programs, ...system].join(delimiter),
    // As frameworks take it.
    PORT: port,
    NO_COLOR: "1",
    WRANGLER_SEND_METRICS: "false",
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    // With the banner it asks for its newest version.
    WRANGLER_HIDE_BANNER: "true",
  };
  // Pages that don't say how a project is made need one of ES modules.
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  const log = join(folder, "log");
  return {
    folder,
    /** What the server has printed. */
    log: () => (existsSync(log) ? readFileSync(log, "utf8") : ""),
    async run(line: string): Promise<string> {
      const { stdout } = await execute("sh", ["-c", line], { cwd: folder, env, timeout: 120_000 }).catch((error) => {
        throw new Error(`${line} failed\n${error.stdout}${error.stderr}`);
      });
      return stdout;
    },
    async start(line: string): Promise<void> {
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
