import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";
import { type DocsBlock, docsBlocks, docsPages, needsTools, replaced } from "../support/docs.js";
import { bin, build, root } from "../support/project.js";
import { startValkey } from "../support/servers.js";

/** The modules of an application that pages import. */
const MODULES = {
  "db.js": `const user = (id) => ({ id: String(id), name: "Ann", team: "red" });
export const db = {
  user: async (id) => user(id),
  users: async (ids) => new Map(ids.map((id) => [id, user(id)])),
  members: async () => [user("7")],
  rename: async () => {},
  join: async () => {},
  insert: async () => {},
  remove: async () => {},
};
`,
  "accounts.js": 'export const findAccount = async (name) => ({ name, email: "ann@shop.example" });\n',
  "payments.js": 'export const charge = async () => ({ number: "1" });\n',
  "render.js": 'export const render = async (path) => "page " + path;\n',
  "reports.js": 'export async function findReport(id) {\n  return "report " + id;\n}\n',
};

/** What a block needs that this process is not: another host, another server, a test runner. */
const NEEDS = [
  /from "(?:\.\/(?:\$types|valkey-object)|cloudflare:|bun|vitest|node:test)/,
  /\b(?:Bun|Deno|EdgeRuntime)\b/,
  /^declare /m,
  // Addresses elsewhere.
  /:\/\/(?!localhost|127\.0\.0\.1)[\w.-]*(?:\.\w|service)/,
  /host: "10\./,
  /readFile|unix:/,
];

const blocks = docsPages()
  .flatMap(docsBlocks)
  .filter((block) => block.language === "ts" && !needsTools(block) && isSelfContained(block));

function isSelfContained({ before, code }: DocsBlock): boolean {
  return !NEEDS.some((pattern) => pattern.test(`${before}\n${code}`));
}

/** Evaluates each file in turn, and prints what went wrong with which. Servers of the blocks end with the process. */
const RUNNER = `
import { connect } from "node:net";
import { once } from "node:events";

const [port, ...files] = process.argv.slice(2);
/** Pages store values of different types under one key. */
async function empty() {
  const socket = connect(Number(port), "127.0.0.1").end("FLUSHALL\\r\\n");
  await once(socket.resume(), "close");
}
const failed = {};
console.log = console.info = console.warn = () => {};
for (const file of files) {
  await empty();
  const late = new Promise((_, reject) => setTimeout(reject, 20_000, new Error("it did not end")).unref());
  await Promise.race([import(file), late]).catch((error) => { failed[file] = String(error?.stack ?? error); });
}
process.on("exit", () => process.stdout.write(JSON.stringify(failed)));
process.exit();
`;

beforeAll(() => build(), 120_000);

it("every block of docs/ that needs no other host and no other server than a local one runs without an error", async () => {
  expect(blocks.length).toBeGreaterThan(80);
  const parent = join(root, ".cache", "docs");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "all-"));
  await using server = await startValkey();
  const texts = { "localhost:6379": `localhost:${server.port}`, "listen(3000": "listen(0", "port: 3000": "port: 0" };
  const files = blocks.map((block) => {
    const file = join(folder, `${block.name}.ts`);
    writeFileSync(file, `${replaced(block, texts)}\nexport {};\n`);
    return file;
  });
  for (const [name, text] of Object.entries(MODULES)) writeFileSync(join(folder, name), text);
  const runner = join(folder, "runner.mjs");
  writeFileSync(runner, RUNNER);
  const env = { ...process.env, INSPECTOR_PASSWORD: "secret", SESSION_SECRET: "secret" };
  const { stdout } = await promisify(execFile)(join(bin, "node"), [runner, String(server.port), ...files], {
    env,
    timeout: 120_000,
  });
  expect(JSON.parse(stdout)).toEqual({});
}, 150_000);
