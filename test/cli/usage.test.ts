import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/commands.js";
import { EXIT_CODES } from "../../src/cli/exit-codes.js";
import { widthOf } from "../../src/cli/terminal/width.js";
import { cli, terminal } from "../support/cli.js";
import { build, manifest, nodes } from "../support/project.js";

const names = COMMANDS.map(({ name }) => name);
/** An argument for each command that needs one. */
const needed = (name: string): string[] =>
  COMMANDS.find((one) => one.name === name)?.args?.startsWith("<") ? ["k"] : [];
const programs = [...(await nodes())];
const folder = mkdtempSync(join(tmpdir(), "cli-usage-"));

beforeAll(build, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("help", () => {
  it("lists every command, the exit codes and examples", async () => {
    const { code, stdout, stderr } = await cli(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const name of names) expect(stdout).toMatch(new RegExp(`^ +${name} `, "m"));
    for (const [exit, meaning] of EXIT_CODES)
      expect(stdout).toMatch(new RegExp(`^ +${exit} +${meaning.slice(0, 12)}`, "m"));
    expect(stdout).toContain("Examples:");
  });

  it("is shown without a command, too", async () => {
    const { code, stdout } = await cli([]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: (await cli(["--help"])).stdout });
  });

  it.each(names)("of %s has an example and the options of the cache", async (name) => {
    const { code, stdout } = await cli([name, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`$ valkey-edge-cache ${name}`);
    expect(stdout).toContain("--url");
    expect(stdout).not.toContain("\x1b");
    for (const line of stdout.split("\n")) expect(widthOf(line), line).toBeLessThanOrEqual(80);
  });

  it.each(names)("of %s fits a terminal of 40 columns", async (name) => {
    await using shell = terminal([name, "--help"], { columns: 40 });
    expect(await shell.ended()).toBe(0);
    for (const line of shell.shown().split("\n")) expect(widthOf(line), line).toBeLessThanOrEqual(40);
    expect(shell.shown()).toContain("\x1b[1m");
  });

  it.each(programs)("and the version are shown on Node %s", async (_version, node) => {
    expect(await cli(["--version"], { node })).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: "" });
    expect((await cli(["help", "keys"], { node })).stdout).toContain("Usage: valkey-edge-cache keys");
  });
});

describe("a wrong command line", () => {
  it.each([
    [["keyz"], /unknown command 'keyz'; did you mean keys\?/],
    [["keys", "--limt", "3"], /unknown option '--limt'; did you mean --limit\?/],
    [["keys", "a", "b"], /too many arguments/],
    [["get"], /missing required argument 'key'; see valkey-edge-cache get --help/],
    [["keys", "--limit", "many"], /--limit: "many" is not a number; give a whole number from 1/],
    [["keys", "--limit", "0"], /--limit: "0" is not a number/],
    [["keys", "--client", "redis"], /--client.*Allowed choices are herd, default/],
    [["keys", "--url", "memory:", "--timeout", "soon"], /--timeout: "soon" is not a duration/],
    [["keys", "--url", "localhost:6379"], /location: .* has none of the schemes/],
    [["keys", "--url", "memory:", "--config", "x.js"], /--url is given beside --config/],
    [["keys", "--cache", "a", "--url", "memory:"], /--cache names an export of --config/],
    [["keys", "--url", "valkey://h", "--cluster", "--sentinel", "h:1"], /--cluster and --sentinel are given/],
    [["keys", "--url", "valkeys://h", "--tls-ca", "/nowhere.pem"], /--tls-ca: \/nowhere\.pem can't be read/],
    [["keys", "--url", "memory:", "--prefix", "a:1"], /keyPrefix/],
    [["get", "", "--url", "memory:"], /key: an empty string is not a key/],
    [["purge", "--url", "memory:", "--yes"], /purge: .*give one of --tag, --key, --pattern and --namespace/],
    [["purge", "--url", "memory:", "--yes", "--tag", "a", "--key", "b"], /--tag and --key are given/],
    [["purge", "--url", "memory:", "--yes", "--tag", "a", "--soft", "--free"], /--soft keeps entries/],
    [["purge", "--url", "memory:", "--yes", "--key", "a", "--match", "all"], /--match says how/],
  ])("%j ends with exit code 2 and says what to give", async (args, message) => {
    const { code, stdout, stderr } = await cli(args);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^error: /);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  it("is a JSON document, too, with --json", async () => {
    const { code, stdout, stderr } = await cli(["keys", "--json", "--limt", "1"]);
    const { error } = JSON.parse(stdout);
    expect({ code, error }).toMatchObject({
      code: 2,
      error: { exitCode: 2, message: expect.stringContaining("--limt") },
    });
    expect(stderr).toContain("--limt");
  });

  it.each(names)("%s without a cache names VALKEY_URL", async (name) => {
    const { code, stderr } = await cli([name, ...needed(name)]);
    expect(code).toBe(2);
    expect(stderr).toContain("set VALKEY_URL, or give --url");
  });
});

describe("a module of --config", () => {
  const index = JSON.stringify(new URL("../../dist/index.js", import.meta.url).href);
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const CACHE = `createCache({ location: "memory:", keyPrefix: "own" })`;
  const IMPORT = `import { createCache, createCaches } from ${index};`;
  const FILL = `await cache.set("a", { by: "config" });`;

  it.each([
    ["a named export", "named.mjs", `${IMPORT} export const cache = ${CACHE}; ${FILL}`],
    ["a default export", "default.mjs", `${IMPORT} const cache = ${CACHE}; ${FILL} export default cache;`],
    [
      "a function",
      "function.mjs",
      `${IMPORT} export default async () => { const cache = ${CACHE}; ${FILL} return cache; }`,
    ],
    [
      "CommonJS",
      "common.cjs",
      `module.exports = import(${index}).then(async ({ createCache }) => { const cache = ${CACHE}; ${FILL} return cache; });`,
    ],
    [
      "the only one of createCaches",
      "only.mjs",
      `${IMPORT} export const caches = createCaches({ one: { location: "memory:", keyPrefix: "own" } }); const cache = caches.one; ${FILL}`,
    ],
  ])("gives the cache by %s", async (_what, name, text) => {
    const { code, stdout, stderr } = await cli(["get", "a", "--raw", "--config", write(name, text)]);
    expect({ code, stderr, value: stdout && JSON.parse(stdout) }).toEqual({
      code: 0,
      stderr: "",
      value: { by: "config" },
    });
  });

  it("may export several, which --cache tells apart", async () => {
    const file = write(
      "several.mjs",
      `${IMPORT} export const caches = createCaches({ users: { location: "memory:", keyPrefix: "u" }, pages: { location: "memory:" } }); await caches.users.set("a", 1);`,
    );
    expect(await cli(["get", "a", "--raw", "--config", file, "--cache", "users"])).toMatchObject({
      code: 0,
      stdout: "1\n",
    });
    const none = await cli(["get", "a", "--config", file]);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("choose by --cache one of users, pages") });
    const wrong = await cli(["get", "a", "--config", file, "--cache", "user"]);
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/exports no cache "user"; it has .*users, pages/),
    });
  });

  it("is named by VALKEY_EDGE_CACHE_CONFIG, too, relative to the working folder, and --url comes before that", async () => {
    write("named.mjs", `${IMPORT} export const cache = ${CACHE}; ${FILL}`);
    const env = { VALKEY_EDGE_CACHE_CONFIG: "named.mjs" };
    expect(await cli(["get", "a", "--raw"], { env, folder })).toMatchObject({ code: 0 });
    expect(await cli(["get", "a", "--raw", "--url", "memory:"], { env, folder })).toMatchObject({ code: 3 });
  });

  it("that keeps the process busy doesn't keep the command line from ending, and its logs are not among the results", async () => {
    const busy = "setInterval(() => {}, 1_000); console.log('loading');";
    const file = write("busy.mjs", `${IMPORT} ${busy} export const cache = ${CACHE}; ${FILL}`);
    const { code, stdout, stderr } = await cli(["get", "a", "--json", "--config", file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "loading\n" });
    expect(JSON.parse(stdout)).toMatchObject({ key: "a" });
  });

  it("whose cache never closes doesn't keep it either", async () => {
    const file = write(
      "open.mjs",
      `${IMPORT} export const cache = ${CACHE}; ${FILL} cache.close = () => new Promise(() => {});`,
    );
    expect(await cli(["get", "a", "--raw", "--config", file])).toMatchObject({ code: 0 });
  });

  it.each([
    ["is missing", "missing.mjs", undefined, 2, /there is no file .*missing\.mjs/],
    ["exports no cache", "empty.mjs", "export const users = new Map();", 2, /doesn't export one cache; export it as/],
    [
      "throws",
      "throws.mjs",
      "throw new Error('no database at valkey://ann:hunter22@db');",
      1,
      /loading .* failed: no database at valkey:\/\/\(hidden\)@db/,
    ],
  ])("that %s ends with a message", async (_what, name, text, code, message) => {
    const file = text === undefined ? join(folder, name) : write(name, text);
    const end = await cli(["keys", "--config", file]);
    expect(end).toMatchObject({ code, stdout: "", stderr: expect.stringMatching(message) });
    expect(end.stderr).not.toMatch(/hunter22|\n +at /);
  });

  it("of TypeScript is loaded where Node can, and else the message says from which Node on", async () => {
    const file = write(
      "typed.ts",
      `${IMPORT} const one: number = 1; export const cache = ${CACHE}; await cache.set("a", one);`,
    );
    for (const [version, node] of programs) {
      const end = await cli(["get", "a", "--raw", "--config", file], { node });
      if (Number(version.split(".")[0]) >= 24) expect(end).toMatchObject({ code: 0, stdout: "1\n" });
      else
        expect(end).toMatchObject({
          code: 1,
          stderr: expect.stringContaining("can't load TypeScript; use Node 22.18"),
        });
    }
  });
});
