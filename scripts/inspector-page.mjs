// @ts-check
// The inspector's page as one HTML file: its script and its style are bundled and put into src/inspector/page/index.html, and
// the text replaces src/inspector/page.ts where that is bundled (rolldown) or served (Vite, for tests over src/).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "./run.mjs";

const MODULE = join(root, "src", "inspector", "page.ts");
const FOLDER = join(root, "src", "inspector", "page");

/**
 * What of Vitest the plugin uses: `false` keeps a module out of its cache.
 * @typedef {{ defineCacheKeyGenerator(callback: (module: { id: string }) => false | undefined): void }} CacheOfVitest
 */

/**
 * Puts the page's HTML in the place of src/inspector/page.ts.
 * @returns {{ name: string, load(id: string): Promise<{ code: string, map: null } | undefined>, configureVitest(vitest: CacheOfVitest): void }}
 */
export function inspectorPage() {
  /** @type {Promise<string> | undefined} */
  let html;
  const isPage = (/** @type {string} */ id) => id.split("?")[0] === MODULE;
  return {
    name: "inspector-page",
    // Vitest keeps transformed modules by the text of their own file, and the page is made of other files.
    configureVitest({ defineCacheKeyGenerator }) {
      defineCacheKeyGenerator(({ id }) => (isPage(id) ? false : undefined));
    },
    async load(id) {
      if (!isPage(id)) return undefined;
      html ??= buildPage();
      return { code: `export const pageHtml = ${JSON.stringify(await html)};\n`, map: null };
    },
  };
}

/** @returns the page: one file that loads nothing */
export async function buildPage() {
  // Imported here because it may not be installed yet when this file is loaded.
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { script: join(FOLDER, "main.ts"), style: join(FOLDER, "style.css") },
    outdir: FOLDER,
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    // light-dark() in the style needs browsers of 2024.
    target: "es2023",
    charset: "utf8",
    legalComments: "none",
  });
  const textOf = (/** @type {string} */ ending) =>
    outputFiles.find(({ path }) => path.endsWith(ending))?.text.trim() ?? "";
  // In a script element, these two would end it or hide its end.
  const code = textOf(".js").replaceAll(/<(?=\/script|!--)/gi, "\\x3c");
  return readFileSync(join(FOLDER, "index.html"), "utf8")
    .replace("<!-- notices -->", () => `<!--\n${notices()}\n-->`)
    .replace("/* style */", () => textOf(".css"))
    .replace("/* script */", () => code);
}

/** The licence of what the page contains of others asks that it goes with it. */
function notices() {
  const folder = join(createRequire(import.meta.url).resolve("uplot"), "..", "..");
  return `This page contains uPlot.\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}`;
}
