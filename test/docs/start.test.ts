import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { cli, run } from "../support/cli.js";
import { docsBlocks, documented, replaced, writeBlock } from "../support/docs.js";
import { launch } from "../support/launch.js";
import { freePort } from "../support/ports.js";
import { build, root } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";

const PAGE = "start.md";

/** What the page shows below each command, in the order of the page. */
const consoles = docsBlocks(PAGE)
  .filter(({ language }) => language === "console")
  .map(({ code }) => {
    const lines = code.trimEnd().split("\n");
    const shown = lines.filter((line) => !line.startsWith("$ "));
    return { command: lines.filter((line) => line.startsWith("$ ")).join("\n"), shown: shown.join("\n") };
  });

function shown(command: string): string[] {
  return consoles.filter((one) => one.command.includes(command)).map((one) => one.shown);
}

/** Without the server's address, which `localhost` may mean in IPv6, and without times and sizes. */
function comparable(text: string): string {
  return text
    .replaceAll(/localhost:\d+/g, "localhost:PORT")
    .replaceAll(/ECONNREFUSED \S+:\d+/g, "ECONNREFUSED ADDRESS")
    .replaceAll(/\d+(?:\.\d+)?(?:ms| ?s| ?m| min)\b/g, "TIME")
    .replaceAll("TIME TIME", "TIME")
    .replaceAll(/\d+ B\b/g, "SIZE")
    .trimEnd();
}

/** A project with `start.js` as the page has it. */
let folder: string;

beforeAll(async () => {
  await build();
  const parent = join(root, ".cache", "docs", "start");
  mkdirSync(parent, { recursive: true });
  folder = mkdtempSync(join(parent, "project-"));
  writeFileSync(join(folder, "start.js"), documented(PAGE, "loadCity").code);
}, 120_000);

/** Runs `node start.js`, and returns what a terminal shows. */
async function start(url: string): Promise<string> {
  const command = ["sh", "-c", 'exec "$0" start.js 2>&1', process.execPath];
  const { code, stdout } = await run(command, { env: { VALKEY_URL: url }, folder });
  expect(code, stdout).toBe(0);
  return stdout;
}

describe("docs/start.md, with a server", () => {
  let server: ValkeyServer;
  let url: string;
  beforeAll(async () => {
    server = await startValkey();
    url = server.url.replace(server.host, "localhost");
    return () => server.stop();
  });
  // Each test begins without a value.
  beforeEach(() => server.restart());

  it("shows what the first run and the second one print, and the command line after them", async () => {
    const [first = "none", second = "none"] = shown("node start.js");
    expect(await start(url)).toBe(`${first}\n`);
    expect(await start(url)).toBe(`${second}\n`);
    const args = ["city:7", "--prefix", "start", "--url", url];
    const why = await cli(["why", ...args, "--client", "herd"]);
    expect(comparable(why.stdout)).toBe(comparable(shown("why city:7")[0] ?? "none"));
    expect(documented(PAGE, " delete ").code).toContain("delete city:7 --prefix start --url");
    expect((await cli(["delete", ...args, "--yes"])).code).toBe(0);
    expect(await start(url)).toBe(`${first}\n`);
  });

  it("loads once for two terminals", async () => {
    const both = await Promise.all([start(url), start(url)]);
    expect(both.join("").match(/loading/g)).toHaveLength(1);
    expect(both.join("").match(/answers: Bern, Bern, Bern\n/g)).toHaveLength(2);
  });

  it("has a service that ends at SIGTERM, and whose connection would keep it running", async () => {
    const port = await freePort();
    const texts = { "valkey://localhost:6379": url, "listen(3000)": `listen(${port})` };
    const file = writeBlock(documented(PAGE, "SIGTERM"), texts);
    const service = await launch(process.execPath, [file], mkdtempSync(join(folder, "service-")));
    onTestFinished(() => service.stop());
    const ask = async () => (await fetch(`http://localhost:${port}/`)).text();
    expect(await until(ask, { what: "the service" })).toBe("Hello\n");
    await service.kill("SIGTERM");
    expect(service.ended).toBe(true);

    const open = replaced(documented(PAGE, "loadCity"), { "await cache.close();": "" });
    // The timer keeps no process running, so it fires only where something else does.
    writeFileSync(join(folder, "open.js"), `${open}\nsetTimeout(() => console.log("still open"), 200).unref();\n`);
    const kept = await launch("env", [`VALKEY_URL=${url}`, process.execPath, join(folder, "open.js")], folder);
    onTestFinished(() => kept.stop());
    await until(() => kept.ended || kept.log().includes("still open"), { what: "the timer" });
    expect(kept.ended).toBe(false);
  });
});

describe("docs/start.md, without a server", () => {
  it("shows the warning, and the loader's answer", async () => {
    const printed = await start(`valkey://localhost:${await freePort()}`);
    expect(comparable(printed)).toBe(comparable(shown("node start.js")[2] ?? "none"));
  });

  it("runs in memory, and loads in each run", async () => {
    const [expected = "none"] = shown("VALKEY_URL=memory: node start.js");
    expect(await start("memory:")).toBe(`${expected}\n`);
    expect(await start("memory:")).toBe(`${expected}\n`);
  });
});
