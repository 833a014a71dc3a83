// @ts-check
// npm run terminal: draws docs/cli.svg, a terminal with what the command line really prints, from a server of its own.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "./build.mjs";
import { storeDemo } from "./cli-demo.mjs";
import { ensureNeeds } from "./needs.mjs";
import { ensurePackages } from "./packages.mjs";
import { root, Stop, script } from "./run.mjs";

const HOST = "127.0.0.1";
const PICTURE = join(root, "docs", "cli.svg");
const OPTIONS = ["--prefix", "shop", "--client", "herd"];
/** The command lines of the picture, without the options of the cache. */
const LINES = [["why", "user:2"], ["keys"]];

const COLUMNS = 92;
const FONT = 13;
const LINE = 19;
const CHARACTER = 7.8;
const MARGIN = 18;
const BAR = 34;

/** The colours of a terminal with a dark background, by the codes of escape sequences. */
const COLORS = new Map([
  [31, "#ff7b72"],
  [32, "#7ee787"],
  [33, "#e3b341"],
  [34, "#79c0ff"],
  [36, "#76e3ea"],
]);

await script(async () => {
  await ensurePackages();
  ensureNeeds();
  await build();
  const port = await freePort();
  const server = spawn("valkey-server", ["--port", String(port), "--bind", HOST, "--save", ""], { stdio: "ignore" });
  try {
    const url = `valkey://${HOST}:${port}`;
    await fill(url);
    const lines = LINES.flatMap((args) => [
      `\x1b[2m$\x1b[22m npx valkey-edge-cache ${args.join(" ")}`,
      ...output(args, url),
      "",
    ]);
    writeFileSync(PICTURE, svg(lines.slice(0, -1)));
    console.log(`Wrote ${PICTURE}.`);
  } finally {
    server.kill();
    await once(server, "exit");
  }
  return 0;
});

/** @param {string} url */
async function fill(url) {
  const { createCache, herd } = await import("../dist/index.js");
  const cache = createCache({ location: url, keyPrefix: "shop", client: herd({ grace: "1m" }), logger: false });
  try {
    for (let tries = 1; ; tries++) {
      if ((await cache.health()).roundTripMs !== undefined) break;
      if (tries === 50) throw new Stop("valkey-server doesn't answer.");
      await sleep(100);
    }
    // The declarations of dist/ leave out what is internal.
    await storeDemo(/** @type {import("../src/index.js").Cache} */ (/** @type {unknown} */ (cache)));
  } finally {
    await cache.close();
  }
}

/**
 * What a command line shows on a terminal, with its colours.
 * @param {readonly string[]} args
 * @param {string} url
 */
function output(args, url) {
  const env = { PATH: process.env.PATH, TERM: "xterm-256color", SHELL: "/bin/sh" };
  const program = [process.execPath, join(root, "dist", "cli", "bin.js"), ...args, "--url", url, ...OPTIONS];
  const command = `stty cols ${COLUMNS} rows 40; exec ${program.map((part) => `'${part}'`).join(" ")}`;
  const shown = execFileSync("script", ["-qefc", command, "/dev/null"], { env, encoding: "utf8", input: "" });
  return shown.replaceAll("\r", "").trimEnd().split("\n");
}

/** @param {readonly string[]} lines */
function svg(lines) {
  const longest = Math.max(...lines.map((line) => parts(line).reduce((sum, { text }) => sum + text.length, 0)));
  const width = Math.ceil(longest * CHARACTER + 2 * MARGIN);
  const height = BAR + lines.length * LINE + MARGIN;
  const dots = ["#ff5f57", "#febc2e", "#28c840"].map(
    (color, i) => `<circle cx="${20 + 20 * i}" cy="18" r="6" fill="${color}"/>`,
  );
  const texts = lines.map((line, i) => {
    let column = 0;
    const spans = parts(line).map(({ text, style }) => {
      const x = MARGIN + column * CHARACTER;
      column += text.length;
      return `<tspan x="${x.toFixed(1)}"${style}>${escaped(text)}</tspan>`;
    });
    return `<text y="${BAR + LINE * (i + 0.75)}" xml:space="preserve">${spans.join("")}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="A terminal: npx valkey-edge-cache why user:2, and the list of keys" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${FONT}" fill="#e6edf3">
<rect width="${width}" height="${height}" rx="10" fill="#161b22"/>
${dots.join("")}
${texts.join("\n")}
</svg>
`;
}

/**
 * The parts of a line that have one style each.
 * @param {string} line
 */
function parts(line) {
  /** @type {{ text: string, style: string }[]} */
  const found = [];
  let color = "";
  let isBold = false;
  let isDim = false;
  for (const piece of line.split("\x1b[")) {
    const code = found.length === 0 && !line.startsWith("\x1b[") ? undefined : Number.parseInt(piece, 10);
    const text = code === undefined ? piece : piece.slice(piece.indexOf("m") + 1);
    if (code === 1) isBold = true;
    if (code === 2) isDim = true;
    if (code === 22) isBold = isDim = false;
    if (code !== undefined && code >= 30 && code <= 39) color = COLORS.get(code) ?? "";
    const style = `${color && ` fill="${color}"`}${isBold ? ' font-weight="bold"' : ""}${isDim ? ' opacity="0.65"' : ""}`;
    found.push({ text, style });
  }
  return found.filter(({ text }) => text !== "");
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address ? address.port : 0;
}
