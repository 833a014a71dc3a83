import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/commands.js";
import { cli, terminal } from "../support/cli.js";
import { command } from "../support/command.js";
import { freePort, HOST } from "../support/ports.js";
import { build } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

/** Each command with what it needs to get as far as the server. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  doctor: ["doctor"],
  keys: ["keys"],
  get: ["get", "k"],
  ttl: ["ttl", "k"],
  why: ["why", "k"],
  delete: ["delete", "k", "--yes"],
  purge: ["purge", "--key", "k", "--yes"],
  clear: ["clear", "--namespace", "n", "--yes"],
  top: ["top", "--once"],
};
const names = Object.keys(LINES);
const line = (name: string) => LINES[name] ?? [];

let server: ValkeyServer;
let gone: number;
const folder = mkdtempSync(join(tmpdir(), "cli-failures-"));

/** Random passwords, with what URLs encode, and with what text and shells treat in their own way. */
const PASSWORDS = fc
  .sample(fc.string({ minLength: 8, maxLength: 24, unit: "grapheme-ascii" }), { numRuns: 60, seed: 7 })
  .map((text) => `${text.trim()}pw!`)
  .filter((text) => text.length >= 8)
  .slice(0, 40);

beforeAll(async () => {
  await build();
  server = await startValkey({ args: ["--requirepass", "the right one"] });
  gone = await freePort();
}, 120_000);

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.stop();
});

it("each command is tried here", () => {
  expect(COMMANDS.map(({ name }) => name)).toEqual(names);
});

describe("a store that is gone", () => {
  const url = () => `valkey://${HOST}:${gone}`;
  const withoutDoctor = names.filter((name) => name !== "doctor");

  it.each(withoutDoctor)("ends %s with exit code 1 and the reason", async (name) => {
    const { code, stdout, stderr } = await cli([...line(name), "--url", url()]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^error: .*${gone}`));
    expect(stderr).not.toMatch(/\n +at /);
  });

  it.each(withoutDoctor)("is a JSON document of %s --json", async (name) => {
    const { code, stdout } = await cli([...line(name), "--json", "--url", url()]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({ error: { exitCode: 1, message: expect.stringContaining(String(gone)) } });
  });

  it("is a problem that doctor reports, with an exit code of its own", async () => {
    const { code, stdout } = await cli(["doctor", "--url", url()]);
    expect(code).toBe(4);
    expect(stdout).toMatch(/^problem {2}connection\n/m);
    const json = await cli(["doctor", "--json", "--url", url()]);
    expect({ code: json.code, ...JSON.parse(json.stdout) }).toMatchObject({
      code: 4,
      findings: expect.arrayContaining([expect.objectContaining({ check: "connection", level: "problem" })]),
    });
  });

  it("is said on a terminal of 40 columns, too, where it is no wider", async () => {
    await using shell = terminal(["keys", "--url", url()], { columns: 40 });
    expect(await shell.ended()).toBe(1);
    for (const one of shell.shown().split("\n")) expect(stripVTControlCharacters(one).length).toBeLessThanOrEqual(40);
  });
});

describe("a password", () => {
  const url = (password: string, port = server.port) => `valkey://:${encodeURIComponent(password)}@${HOST}:${port}`;
  /** Every form in which it might be shown. */
  const forms = (password: string): string[] => [
    password,
    encodeURIComponent(password),
    JSON.stringify(password).slice(1, -1),
  ];
  const expectHidden = (shown: string, password: string) => {
    for (const form of forms(password)) expect(shown.includes(form), `${form} is in ${shown}`).toBe(false);
  };

  it.each(names)("that is wrong ends %s with a reason in which it is not", async (name) => {
    const [password = ""] = PASSWORDS;
    for (const json of [[], ["--json"]]) {
      const { code, stdout, stderr } = await cli([...line(name), ...json, "--url", url(password)]);
      expect(code).toBe(name === "doctor" ? 4 : 1);
      expect(stdout + stderr).toMatch(/password/i);
      expectHidden(stdout + stderr, password);
    }
  });

  it("is in no output, whatever it is and wherever it stands", async () => {
    const commandLines = (password: string): (readonly [args: string[], env?: Record<string, string>])[] => [
      [["keys", "--url", url(password)]],
      [["keys", "--url", `valkey://:${password}@${HOST}:${gone}`]],
      [["get", "k", "--json"], { VALKEY_URL: url(password, gone) }],
      [["doctor", "--json"], { VALKEY_URL: url(password) }],
      [["doctor"], { VALKEY_URL: `valkey://${HOST}:${server.port}`, VALKEY_PASSWORD: password }],
      [["keys", `--ur=${url(password)}`]],
      [[url(password)]],
      [["keys", "x", url(password)]],
      [["keys", "--limit", url(password), "--url", url(password)]],
      [["purge", "--tag", "a", "--yes", "--url", url(password)]],
      [["keys"], { VALKEY_URL: `https://${HOST}:${gone}`, VALKEY_TOKEN: password }],
      [["clear", "--sentinel", `${HOST}:${gone}`, "--url", url(password)], { VALKEY_SENTINEL_PASSWORD: password }],
    ];
    for (const password of PASSWORDS.slice(0, 12)) {
      const ends = await Promise.all(
        commandLines(password).map(async ([args, env]) => ({ args, ...(await cli(args, env ? { env } : {})) })),
      );
      for (const { args, stdout, stderr, code } of ends) {
        expect(code, args.join(" ")).toBeGreaterThan(0);
        expectHidden(stdout + stderr, password);
      }
    }
  }, 120_000);

  it("of a module of --config is not in the errors of its cache", async () => {
    const index = JSON.stringify(new URL("../../dist/index.js", import.meta.url).href);
    const [, password = ""] = PASSWORDS;
    const file = join(folder, "cache.mjs");
    writeFileSync(
      file,
      `import { createCache } from ${index}; export const cache = createCache({ location: ${JSON.stringify(url(password))}, logger: false });`,
    );
    for (const name of names) {
      const { code, stdout, stderr } = await cli([...line(name), "--config", file]);
      expect(code).toBe(name === "doctor" ? 4 : 1);
      expectHidden(stdout + stderr, password);
    }
  }, 60_000);

  it("that is right is in no help, no results and no question, also where it stands in the variables", async () => {
    const password = "the right one";
    const env = { VALKEY_URL: `valkey://${HOST}:${server.port}`, VALKEY_PASSWORD: password };
    await command(server.port, ["SET", ":1:k", "1"], { password });
    for (const name of [...names, "--help", "purge --help"]) {
      const args = LINES[name] ?? name.split(" ");
      const { stdout, stderr } = await cli(args, { env });
      expectHidden(stdout + stderr, password);
    }
    await command(server.port, ["SET", ":1:k", "1"], { password });
    await using shell = terminal(["clear", "--url", url(password)]);
    await shell.showing("[y/N] ");
    shell.type("\x03");
    await shell.ended();
    expectHidden(shell.shown(), password);
  });
});

describe("a user whose ACL lacks commands", () => {
  it("gets what is allowed, and a reason for what isn't", async () => {
    const password = "the right one";
    const user = (...rules: [string, ...string[]]) =>
      command(server.port, ["ACL", "SETUSER", "reader", "reset", "on", ">reader pw", "~:1:*", ...rules], { password });
    await command(server.port, ["SET", ":1:k", "1"], { password });
    const env = { VALKEY_URL: `valkey://reader:reader%20pw@${HOST}:${server.port}` };
    await user("+get", "+getrange", "+strlen", "+type", "+pttl", "+ping");
    const end = await cli(["get", "k", "--raw"], { env });
    expect(end).toMatchObject({ code: 0, stdout: "1\n" });
    const refused = await cli(["keys"], { env });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/scan/i) });
    // A cache that ignores errors would say that the purge has succeeded.
    const index = JSON.stringify(new URL("../../dist/index.js", import.meta.url).href);
    const file = join(folder, "ignoring.mjs");
    writeFileSync(
      file,
      `import { createCache } from ${index}; export const cache = createCache({ location: process.env.VALKEY_URL, ignoreErrors: true, logger: false });`,
    );
    const ignored = await cli(["purge", "--tag", "t", "--yes", "--config", file], { env });
    expect(ignored).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^error: .*NOPERM|permission/i),
    });
  });
});
