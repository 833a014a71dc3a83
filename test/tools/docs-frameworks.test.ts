import { join } from "node:path";
import { expect, inject, it } from "vitest";
import { createCache } from "../../src/index.js";
import { documented } from "../support/docs.js";
import { answering, expectReads, follow, followInTwo, type GuideServer } from "../support/guide-servers.js";
import { printedFiles, writePrinted } from "../support/guides.js";
import { launch } from "../support/launch.js";
import { freePort, HOST } from "../support/ports.js";
import { type App, createApp, environment, tools } from "./app.js";

/** The application of a page, in a folder of its own. Its prefix is the folder's name, as that of other applications here. */
function applicationOf(page: string, more: Readonly<Record<string, string>>): App {
  const replaced = { '"shop"': "process.env.KEY_PREFIX", "listen(3000)": "listen(Number(process.env.PORT))" };
  const app = createApp(more);
  for (const file of printedFiles(page)) writePrinted(file, app.folder, replaced);
  return app;
}

/** Starts an application that was built. */
async function start({ folder }: App, args: readonly string[], location = inject("valkeyUrl")): Promise<GuideServer> {
  const port = await freePort();
  const variables = { ...environment(folder), PORT: String(port), VALKEY_URL: location };
  const settings = Object.entries(variables).map(([name, value = ""]) => `${name}=${value}`);
  return answering(await launch("env", ["-i", ...settings, "node", ...args], folder), port);
}

/** Follows a page in two processes that share a server, in one that needs none, and in one whose server is gone. */
async function followPage(page: string, app: App, args: readonly string[]): Promise<void> {
  await followInTwo(page, () => start(app, args));
  expect(documented(page, "memory:").code).toContain(`VALKEY_URL=memory: node ${args.join(" ")}\n`);
  await using alone = await start(app, args, "memory:");
  await follow(page, alone);
  await using failing = await start(app, args, `valkey://${HOST}:${await freePort()}`);
  await expectReads(failing);
}

const MODULE = '{ "private": true, "type": "module" }';

it("the application of docs/guides/nestjs.md answers as its page shows", async () => {
  const page = "guides/nestjs.md";
  const tsconfig = documented(page, "compilerOptions").code;
  using app = applicationOf(page, { "package.json": MODULE, "tsconfig.json": tsconfig });
  await app.run("tsc");
  await followPage(page, app, ["dist/main.js"]);
});

it("the application of docs/guides/nitro-nuxt.md answers as its page shows", async () => {
  const page = "guides/nitro-nuxt.md";
  using app = applicationOf(page, {});
  await app.run("env", "-u", "VALKEY_URL", "nitropack", "build");
  await followPage(page, app, [".output/server/index.mjs"]);
});

it("the application of docs/guides/sveltekit.md answers as its page shows, and its page has the data", async () => {
  const page = "guides/sveltekit.md";
  // What `sv create` makes.
  using app = applicationOf(page, {
    "package.json": JSON.stringify({
      private: true,
      type: "module",
      imports: { "#lib/*": "./src/lib/*" },
      dependencies: { "valkey-edge-cache": "*" },
    }),
    "src/app.html": "<html><head>%sveltekit.head%</head><body><div>%sveltekit.body%</div></body></html>",
  });
  await app.run("env", "-u", "VALKEY_URL", "vite", "build");
  await followPage(page, app, ["build"]);
  await using server = await start(app, ["build"]);
  const shown = await server.curl("curl -s http://localhost:3000/");
  expect(shown.join("\n")).toContain("<h1>Desk lamp</h1>");
});

it("the application of docs/guides/nextjs.md answers as its page shows, in two instances, and to another program's purge", async () => {
  const page = "guides/nextjs.md";
  using app = applicationOf(page, {});
  await app.run("env", "-u", "VALKEY_URL", "next", "build");
  const args = [join(tools, "node_modules", "next", "dist", "bin", "next"), "start"];
  await using first = await start(app, args);
  await using second = await start(app, args);
  await follow(page, first);
  const product = "curl -s http://localhost:3000/api/products/7";
  expect(await second.curl(product)).toEqual(['{"id":"7","name":"Desk lamp","loads":2}']);
  const cache = createCache({ location: inject("valkeyUrl") });
  await cache.purgeTags(["products"]);
  await cache.close();
  expect(await first.curl(product)).toEqual(['{"id":"7","name":"Desk lamp","loads":3}']);
  for (const { running } of [first, second]) await running.kill("SIGTERM");
});
