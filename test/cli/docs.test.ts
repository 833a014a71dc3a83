import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { storeDemo } from "../../scripts/cli-demo.mjs";
import { CACHE_OPTIONS, COMMANDS, CONFIG_OPTIONS, OUTPUT_OPTIONS } from "../../src/cli/commands.js";
import { EXIT_CODES } from "../../src/cli/exit-codes.js";
import { CLI, run } from "../support/cli.js";
import { blocksOf } from "../support/markdown.js";
import { build, manifest, root } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

/** Inside the repository, so that the module finds the package by its own name. */
const folder = join(root, ".cache", "docs-cli");
const page = readFileSync(join(root, "docs", "cli.md"), "utf8");
const blocks = blocksOf(page);
const examples = blocks
  .filter(({ language }) => language === "console")
  .map(({ code }) => {
    const [command = "", ...shown] = code.trimEnd().split("\n");
    return { command: command.replace(/^\$ /, ""), shown: shown.join("\n") };
  });

let server: ValkeyServer;

beforeAll(async () => {
  await build();
  server = await startValkey();
  const module = blocks.find(({ language, code }) => language === "js" && code.includes("createCache"));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "cache.mjs"), module?.code ?? "");
  process.env.VALKEY_URL = server.url;
  const { cache } = await import(pathToFileURL(join(folder, "cache.mjs")).href);
  await storeDemo(cache);
  await cache.close();
}, 120_000);

afterAll(async () => {
  delete process.env.VALKEY_URL;
  await server.stop();
});

/** Without what differs from run to run: times and sizes. Rows of a scan have no order. */
function comparable(text: string): string[] {
  const plain = text
    .replaceAll(/\d+(?:\.\d+)?(?:ms|[smhd])(?: \d+[smh])?\b/g, "TIME")
    .replaceAll(/\d+(?:\.\d+)? (?:B|KiB)\b/g, "SIZE")
    .replaceAll(/of \d+ keys/g, "of N keys")
    .replaceAll(/ +/g, " ");
  const lines = plain.trimEnd().split("\n");
  return text.startsWith("STATE") || text.startsWith("Keys that match") ? lines.sort() : lines;
}

describe("docs/cli.md", () => {
  it("has examples of entries, reasons, lists and changes", () => {
    const commands = examples.map(({ command }) => command.split(" ")[2]);
    expect(commands).toEqual(expect.arrayContaining(["get", "ttl", "why", "keys", "purge"]));
  });

  it.each(examples)("shows what $command prints", async ({ command, shown }) => {
    const line = command.replace(`npx ${manifest.name}`, '"$0" "$1"');
    const env = { VALKEY_EDGE_CACHE_CONFIG: join(folder, "cache.mjs"), VALKEY_URL: server.url };
    const { stdout, stderr } = await run(["bash", "-c", line, process.execPath, CLI], { env });
    expect(stderr).toBe("");
    expect(comparable(stdout)).toEqual(comparable(shown));
  });

  it("has each exit code, and each option that says which cache", () => {
    const table = (name: string) =>
      new RegExp(`<!-- cli:${name} -->\n([^]*?)\n<!-- /cli -->`).exec(page)?.[1]?.split("\n").slice(2);
    const cell = (text: string) => text.replaceAll("|", "\\|");
    expect(table("exit-codes")).toEqual(EXIT_CODES.map(([code, meaning]) => `| ${code} | ${cell(meaning)} |`));
    const options = [...CACHE_OPTIONS, ...CONFIG_OPTIONS, ...OUTPUT_OPTIONS];
    expect(table("options")).toEqual(
      options.map(({ flags, description, choices }) => {
        const known = choices ? `: ${choices.map((choice) => `\`${choice}\``).join(", ")}` : "";
        return `| \`${cell(flags)}\` | ${cell(description)}${known} |`;
      }),
    );
  });

  it("has each command", () => {
    for (const { name } of COMMANDS) expect(page).toMatch(new RegExp(`^\\| \`${name}[ \`]`, "m"));
  });
});
