import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { command } from "../support/command.js";
import { type ConsoleStep, curl, stepsOf } from "../support/curl.js";
import { documented } from "../support/docs.js";
import { printedFile, shellLines, writePrinted } from "../support/guides.js";
import { launch, type Running } from "../support/launch.js";
import { type Consumer, consumerOfPacked } from "../support/packed.js";
import { freePort, HOST } from "../support/ports.js";
import { bin, output, root, runtime } from "../support/project.js";
import { startRestServer } from "../support/rest-server.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { runWorker } from "../support/worker.js";

/** An application with the packed package. Each test has a folder of its own in it. */
let consumer: Consumer;
let server: ValkeyServer;
/** The server's address as the pages have it, with a name. */
let url: string;

beforeAll(async () => {
  [consumer, server] = await Promise.all([consumerOfPacked("hono"), startValkey()]);
  url = server.url.replace(server.host, "localhost");
}, 120_000);
afterAll(async () => {
  consumer?.[Symbol.dispose]();
  await server?.stop();
});

const newFolder = () => mkdtempSync(join(consumer.folder, "app-"));
/** Each test begins without values. */
const empty = () => command(server.port, ["FLUSHALL"]);
const clients = async () =>
  String(await command(server.port, ["CLIENT", "LIST"]))
    .trim()
    .split("\n").length - 1;

/** Without the seconds that are left, and the time that something took. */
const timeless = (lines: readonly string[]) =>
  lines.map((line) => line.replace(/ttl=\d+/, "ttl=…").replace(/after \d+ ms/, "after … ms"));

interface Host {
  readonly page: string;
  readonly program: string;
  /** Arguments between the program and its own, for a folder inside another project. */
  readonly args: readonly string[];
  /** What the page's command is, up to the file. */
  readonly shown: RegExp;
}

const HOSTS: readonly Host[] = [
  { page: "guides/bun.md", program: "bun", args: [], shown: /^bun (?<options>)server\.ts$/ },
  {
    page: "guides/deno.md",
    program: "deno",
    args: ["--no-prompt", "--no-config", "--node-modules-dir=manual"],
    shown: /^deno run (?<options>.*) server\.ts$/,
  },
];

/** Starts a file of a page as the page does. */
async function start({ page, program, args, shown }: Host, name: string, more: readonly string[] = []) {
  const path = (await runtime(program)) ?? "";
  const [{ command: typed = "", printed = [] } = {}] = stepsOf(documented(page, `$ ${program}`).code);
  const { options = "" } = shown.exec(typed)?.groups ?? {};
  const permissions = more.length > 0 ? more : options.split(" ").filter((option) => option !== "");
  const folder = newFolder();
  const port = await freePort();
  const file = writePrinted(printedFile(page, name), folder, { "3000": String(port) });
  const run = program === "deno" ? [path, "run", ...args, ...permissions] : [path, ...args];
  const running = await launch("env", [`VALKEY_URL=${url}`, "NO_COLOR=1", ...run, file], folder);
  onTestFinished(() => running.stop());
  const ask = (typed: string) => curl(typed, { "localhost:3000": `${HOST}:${port}` });
  const answers = () =>
    ask("curl -s http://localhost:3000/").then(
      () => true,
      () => running.ended,
    );
  await until(answers, { what: `${page}, ${name}`, timeoutMs: 20_000 });
  expect(running.ended, running.log()).toBe(false);
  return { running, ask, printed: printed.map((line) => line.replaceAll("3000", String(port))) };
}

/** Calls the commands of a page, and expects the lines that it shows. */
async function follow(steps: readonly ConsoleStep[], ask: (command: string) => Promise<string[]>): Promise<void> {
  expect(steps.length).toBeGreaterThan(1);
  for (const { command: typed, printed } of steps) expect(timeless(await ask(typed)), typed).toEqual(timeless(printed));
}

/** Ends a process as its host does. */
async function end(running: Running): Promise<void> {
  await running.kill("SIGTERM");
  expect(running.ended).toBe(true);
}

describe.each(HOSTS)("docs/$page", (host) => {
  const { page, program } = host;
  const reports = stepsOf(documented(page, '{"id":"7","load":1}').code);

  it("has a server that loads once for two processes, and ends on SIGTERM", async ({ skip }) => {
    skip((await runtime(program)) === undefined, `${program} has no package for this platform`);
    await empty();
    const [one, two] = await Promise.all([start(host, "server.ts"), start(host, "server.ts")]);
    await follow(reports, one.ask);
    await follow(reports, two.ask);
    expect(await two.ask("curl -s http://localhost:3000/reports/8")).toEqual(['{"id":"8","load":1}']);
    for (const { running, printed } of [one, two]) {
      await end(running);
      expect(running.log().trimEnd().split("\n")).toEqual(printed);
    }
    await until(async () => (await clients()) === 0, { what: "the connections to end" });
  });

  it("has whole responses kept, and ended by a write", async ({ skip }) => {
    skip((await runtime(program)) === undefined, `${program} has no package for this platform`);
    await empty();
    const { ask } = await start(host, "responses.ts");
    const steps = stepsOf(documented(page, "; hit; ttl=").code);
    await follow(steps, ask);
    await ask("curl -s -X POST http://localhost:3000/reports");
    await follow(steps, ask);
  });
});

it("docs/guides/deno.md has what a missing permission for the server looks like", async ({ skip }) => {
  const [, deno] = HOSTS;
  skip(!deno || (await runtime("deno")) === undefined, "deno has no package for this platform");
  if (!deno) return;
  const [symptom = "none"] = /could not be reached: getaddrinfo [^`]+/.exec(text("guides/deno.md")) ?? [];
  const { running, ask } = await start(deno, "server.ts", ["--allow-net=0.0.0.0", "--allow-env=VALKEY_URL"]);
  expect(await ask("curl -s http://localhost:3000/reports/9")).toEqual(['{"id":"9","load":1}']);
  await until(() => running.log().includes(symptom), { what: symptom });
});

const text = (page: string) => readFileSync(join(root, "docs", page), "utf8");

describe("docs/guides/lambda.md", () => {
  const PAGE = "guides/lambda.md";

  /** Builds the bundle by the page's command, in a folder that has nothing else. */
  async function bundle(more = ""): Promise<string> {
    const source = newFolder();
    const { code, name } = printedFile(PAGE, "handler.ts");
    writePrinted({ name, code: code + more }, source);
    const [line = ""] = shellLines(PAGE, "npx esbuild");
    await output(join(bin, "esbuild"), line.split(" ").slice(2), source);
    const alone = newFolder();
    cpSync(join(source, "index.mjs"), join(alone, "index.mjs"));
    return alone;
  }
  const node = (folder: string, ...args: string[]) =>
    output("env", [`VALKEY_URL=${url}`, join(bin, "node"), ...args], folder);

  it("has a bundle that is the whole function, of the size that it says", async () => {
    await empty();
    const folder = await bundle();
    writePrinted(printedFile(PAGE, "invoke.mjs"), folder);
    const [{ command: typed = "", printed = [] } = {}] = stepsOf(documented(PAGE, "$ node invoke.mjs").code);
    expect(timeless((await node(folder, ...typed.split(" ").slice(1))).trimEnd().split("\n"))).toEqual(
      timeless(printed),
    );
    const bytes = readFileSync(join(folder, "index.mjs"));
    const [, kB, zippedkB] = /has about (\d+) kB.*`function\.zip` about (\d+) kB/.exec(text(PAGE)) ?? [];
    expect(Math.abs(bytes.length / 1_000 - Number(kB))).toBeLessThan(Number(kB) / 10);
    expect(Math.abs(deflateRawSync(bytes).length / 1_000 - Number(zippedkB))).toBeLessThan(Number(zippedkB) / 10);
  });

  it("connects before the first invocation with the line for provisioned concurrency", async () => {
    const line = documented(PAGE, "await cache.health()").code;
    const folder = await bundle(line);
    const script = `await import("./index.mjs"); console.log("started"); setInterval(() => {}, 1_000);`;
    const running = await launch(
      "env",
      [`VALKEY_URL=${url}`, join(bin, "node"), "--input-type=module", "-e", script],
      folder,
    );
    onTestFinished(() => running.stop());
    await until(() => running.log().includes("started"), { what: "the instance" });
    expect(await clients()).toBe(1);
    await running.stop();
    // A server that is gone doesn't stop it.
    const gone = `valkey://localhost:${await freePort()}`;
    const alone = `process.env.VALKEY_URL = "${gone}"; await import("./index.mjs"); console.log("started"); process.exit()`;
    expect(await node(folder, "--input-type=module", "-e", alone)).toBe("started\n");
  });

  it("has an application of Hono whose responses are stored before the invocation ends", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "handler.ts"), documented(PAGE, "hono/aws-lambda").code);
    const event = {
      version: "2.0",
      rawPath: "/reports/7",
      rawQueryString: "",
      headers: { host: "a.lambda-url.eu-central-1.on.aws" },
      isBase64Encoded: false,
      requestContext: { http: { method: "GET", path: "/reports/7", sourceIp: "192.0.2.1" }, domainName: "a.on.aws" },
    };
    const script = `
      import { handler } from "./handler.ts";
      for (let i = 0; i < 2; i++) console.log((await handler(${JSON.stringify(event)}, {})).headers["cache-status"]);
      process.exit();
    `;
    const printed = await node(folder, "--input-type=module", "-e", script);
    expect(printed).toMatch(/^valkey-edge-cache; fwd=uri-miss; stored\nvalkey-edge-cache; hit; ttl=\d+\n$/);
  });
});

describe("docs/guides/vercel.md", () => {
  const PAGE = "guides/vercel.md";
  const steps = stepsOf(documented(PAGE, "$ curl").code);

  /** Calls `GET` of a file as often as the page does, under a request context as Vercel makes it. */
  async function call(name: string, env: readonly string[], conditions: readonly string[] = []) {
    const folder = newFolder();
    writePrinted(printedFile(PAGE, name), folder);
    const folderOfPackage = join(folder, "node_modules", "@vercel", "functions");
    mkdirSync(folderOfPackage, { recursive: true });
    writeFileSync(join(folderOfPackage, "package.json"), '{ "type": "module", "exports": "./index.js" }');
    writeFileSync(
      join(folderOfPackage, "index.js"),
      `const context = Symbol.for("@vercel/request-context");
       export const waitUntil = (work) => globalThis[context].get().waitUntil(work);`,
    );
    const urls = steps.map(({ command: typed }) => /https:[^']+/.exec(typed)?.[0]);
    const script = `
      const works = [];
      globalThis[Symbol.for("@vercel/request-context")] = { get: () => ({ waitUntil: (work) => works.push(work) }) };
      const { GET } = await import("./${name}");
      for (const url of ${JSON.stringify(urls)}) console.log(await (await GET(new Request(url))).text());
      await Promise.all(works);
      console.log(works.length > 0);
      process.exit();
    `;
    const program = [join(bin, "node"), ...conditions, "--input-type=module", "-e", script];
    return (await output("env", [...env, ...program], folder)).trimEnd().split("\n");
  }

  it("has a function that answers as the page shows, with its background work given to waitUntil", async () => {
    await empty();
    const printed = await call("api/report.ts", [`VALKEY_URL=${url}`]);
    expect(printed).toEqual([...steps.flatMap((step) => step.printed), "true"]);
  });

  it("has a function for the edge runtime, over fetch alone", async () => {
    await empty();
    await using rest = await startRestServer(server);
    const variables = [`UPSTASH_REDIS_REST_URL=${rest.url}`, `UPSTASH_REDIS_REST_TOKEN=${rest.token}`];
    expect(await call("app/api/report/route.ts", variables, ["--conditions=edge-light"])).toEqual(["42", "42", "true"]);
    expect(rest.requests.length).toBeGreaterThan(1);
    expect(await command(server.port, ["EXISTS", ":1:n"])).toBe(1);
  });
});

describe("docs/guides/workers.md", () => {
  const PAGE = "guides/workers.md";
  const steps = stepsOf(documented(PAGE, "$ curl").code);

  /** Bundles the Worker with the page's own settings. */
  async function bundleOf(code: string, settings: string, files: readonly string[] = []): Promise<string> {
    const folder = newFolder();
    writePrinted({ name: "src/index.ts", code }, folder);
    writeFileSync(join(folder, "wrangler.toml"), settings);
    for (const file of files) cpSync(join(root, file), join(folder, "src", file.split("/").at(-1) ?? ""));
    process.env.WRANGLER_SEND_METRICS = "false";
    await output(join(bin, "wrangler"), ["deploy", "--dry-run", "--outdir", "out"], folder);
    return readFileSync(join(folder, "out", "index.js"), "utf8");
  }
  const settings = printedFile(PAGE, "wrangler.toml").code;

  it("has a Worker that answers as the page shows, and leaves no connection open", async () => {
    await empty();
    const script = await bundleOf(printedFile(PAGE, "src/index.ts").code, settings);
    await using worker = await runWorker(script, { VALKEY_URL: url });
    const ask = async (typed: string) => [(await worker.fetch(new URL(typed.split(" ").at(-1) ?? "").pathname)).text];
    await follow(steps, ask);
    await until(async () => (await clients()) === 0, { what: "the Worker's connections to end" });
  });

  it("has a Worker whose connection is held by a Durable Object", async () => {
    await empty();
    const { code } = printedFile(PAGE, "src/index.ts", "throughObject");
    const more = documented(PAGE, "[[durable_objects.bindings]]").code;
    const script = await bundleOf(code, `${settings}\n${more}`, ["examples/durable-object/valkey-object.ts"]);
    await using worker = await runWorker(script, { VALKEY_URL: url }, { durableObjects: { VALKEY: "ValkeyObject" } });
    const answers = await Promise.all([1, 2, 3].map(() => worker.fetch("/a")));
    expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
    expect(answers[0]?.text).toMatch(/^\{"at":\d+\}$/);
    expect(await clients()).toBe(1);
  });
});
