import { readdirSync } from "node:fs";
import { describe, expect, inject, it } from "vitest";
import { output } from "../../support/project.js";
import { runScript, type ScriptEnd } from "../../support/script.js";
import { startSentinels } from "../../support/sentinels.js";
import { startValkey } from "../../support/servers.js";

/** Simulates a platform without a build of GLIDE. `asked` counts how often it was looked for. */
const WITHOUT_GLIDE = `
  const { registerHooks } = await import("node:module");
  let asked = 0;
  registerHooks({
    resolve(name, context, next) {
      if (!name.startsWith("@valkey/")) return next(name, context);
      asked++;
      throw new Error("no native build");
    },
  });
`;

/** Programs that start another one where GLIDE can't work. */
const READ_ONLY = [
  "unshare",
  "-rm",
  "sh",
  "-c",
  'mount --bind /tmp /tmp && mount -o remount,bind,ro /tmp && exec "$@"',
  "sh",
];
const HOMELESS = ["env", "-u", "HOME", "setpriv", "--reuid=54321", "--clear-groups"];

const works = (launcher: readonly string[]) =>
  output(launcher[0] ?? "", [...launcher.slice(1), "true"]).then(
    () => true,
    () => false,
  );

/** Two caches of one server, and a third one with other settings. */
const THREE_CACHES = (url: string, keyPrefix: string) => `
  const location = ${JSON.stringify(url)};
  const caches = [{}, { ttl: 5 }, { maxIdle: "30s" }].map((options) =>
    lib.createCache({ location, keyPrefix: "${keyPrefix}", ...options }),
  );
  await caches[0].set("city", "Bern");
  const found = await Promise.all(caches.map((cache) => cache.get("city")));
  const { transport } = await caches[0].health();
  await Promise.all(caches.map((cache) => cache.close()));
  console.log(JSON.stringify({ found, transport }));
`;

const FALLEN_BACK = { found: ["Bern", "Bern", "Bern"], transport: "iovalkey" };

/** What it printed, and its warnings without the process id. */
function read({ code, stdout, stderr }: ScriptEnd): { printed: unknown; warnings: string[] } {
  expect(code, stderr).toBe(0);
  const warnings = [...stderr.matchAll(/^\(node:\d+\) (.*)$/gm)].map(([, text = ""]) => text);
  return { printed: JSON.parse(stdout), warnings };
}

const warning = (reason: string) =>
  `ValkeyEdgeCacheWarning: ${inject("valkeyUrl")} is reached over iovalkey instead of valkey-glide: ${reason}`;

describe("the default uses iovalkey, and says so once,", () => {
  it("if GLIDE can't be loaded, which it tries once", async () => {
    const program = `${WITHOUT_GLIDE} ${THREE_CACHES(inject("valkeyUrl"), "without-glide")}
      if (asked > 2) console.log("asked", asked);`;
    const { printed, warnings } = read(await runScript(program));
    expect(printed).toEqual(FALLEN_BACK);
    expect(warnings).toEqual([warning("valkey-glide can't be loaded on this platform; use iovalkey()")]);
  });

  it("if GLIDE can't open its socket, as on a read-only file system", async ({ skip }) => {
    skip(!(await works(READ_ONLY)), "mount namespaces can't be made here");
    const end = await runScript(THREE_CACHES(inject("valkeyUrl"), "read-only"), 25_000, READ_ONLY);
    const { printed, warnings } = read(end);
    expect(printed).toEqual(FALLEN_BACK);
    expect(warnings).toEqual([
      expect.stringMatching(/iovalkey instead of valkey-glide: .*socket in \/tmp \(.*make the folder writable/),
    ]);
  });

  it("if there is no home directory, without which GLIDE would end the process", async ({ skip }) => {
    skip(!(await works(HOMELESS)), "the user can't be changed here");
    const { printed, warnings } = read(
      await runScript(THREE_CACHES(inject("valkeyUrl"), "homeless"), 25_000, HOMELESS),
    );
    expect(printed).toEqual(FALLEN_BACK);
    expect(warnings).toEqual([warning("valkey-glide needs a home directory; set HOME, or use iovalkey()")]);
  });

  it("also for several addresses, among which it finds the primary", async () => {
    await using primary = await startValkey();
    await using replica = await startValkey({ args: ["--replicaof", `${primary.host} ${primary.port}`] });
    const program = `${WITHOUT_GLIDE} ${THREE_CACHES(`${replica.url},${primary.url}`, "several")}`;
    const { printed, warnings } = read(await runScript(program));
    expect(printed).toEqual(FALLEN_BACK);
    expect(warnings).toHaveLength(1);
  });

  it("also through sentinels", async () => {
    await using sentinels = await startSentinels();
    const options = JSON.stringify({ sentinels: sentinels.sentinels });
    const program = `${WITHOUT_GLIDE}
      await using cache = lib.createCache({
        location: "valkey://${sentinels.service}/0",
        connectionFactory: lib.sentinel(${options}),
      });
      await cache.set("city", "Bern");
      console.log(JSON.stringify([await cache.get("city"), (await cache.health()).transport]));`;
    const { printed, warnings } = read(await runScript(program));
    expect(printed).toEqual(["Bern", "iovalkey"]);
    expect(warnings).toHaveLength(1);
  });
});

it("options that iovalkey can't honour are an error that names them and the reason, if GLIDE can't be used", async () => {
  const url = JSON.stringify(inject("valkeyUrl"));
  const program = `${WITHOUT_GLIDE}
    const sentinels = [{ host: "127.0.0.1", port: 1 }];
    const all = [
      { location: ${url}, readFrom: "preferReplica" },
      { location: ${url}, clientAz: "eu-1a" },
      { location: ${url} + "?protocol=3" },
      { location: "valkey://service/0", connectionFactory: lib.sentinel({ sentinels, readFrom: "allNodes" }) },
    ];
    const errors = [];
    for (const options of all) {
      await using cache = lib.createCache({ ...options, logger: false });
      const { name, message } = await cache.getOrSet("city", () => "loaded").catch((error) => error);
      errors.push(name + ": " + message);
    }
    console.log(JSON.stringify(errors));`;
  const { printed } = read(await runScript(program));
  const because = "needs valkey-glide, which can't be used here (valkey-glide can't be loaded on this platform";
  expect(printed).toEqual([
    expect.stringContaining(`ConfigurationError: option "readFrom" (preferReplica) ${because}`),
    expect.stringContaining(`ConfigurationError: option "clientAz" ${because}`),
    expect.stringContaining(`ConfigurationError: "protocol=3" in the location ${because}`),
    expect.stringContaining(`ConfigurationError: option "readFrom" (allNodes) ${because}`),
  ]);
});

it("glide() names iovalkey() as the remedy if GLIDE can't be loaded", async () => {
  const program = `${WITHOUT_GLIDE}
    const cache = lib.createCache({ location: ${JSON.stringify(inject("valkeyUrl"))}, connectionFactory: lib.glide() });
    const error = await cache.get("city").catch((error) => error);
    console.log(JSON.stringify({ name: error.name, message: error.message, cause: error.cause?.message }));`;
  expect(read(await runScript(program)).printed).toEqual({
    name: "ConfigurationError",
    message: "valkey-glide can't be loaded on this platform; use iovalkey()",
    cause: "no native build",
  });
});

it("GLIDE's socket is removed when the process exits, and new clients find it until then", async () => {
  const program = `
    const { readdirSync } = await import("node:fs");
    const sockets = () => readdirSync("/tmp").filter((name) => name.startsWith("glide-socket-" + process.pid + "-"));
    // An earlier process may have had the same number.
    const before = sockets();
    for (let i = 0; i < 2; i++) {
      await using cache = lib.createCache({ location: ${JSON.stringify(inject("valkeyUrl"))} });
      await cache.get("city");
    }
    console.log(JSON.stringify(sockets().filter((name) => !before.includes(name))));`;
  const { printed } = read(await runScript(program));
  expect(printed).toEqual([expect.any(String)]);
  expect(readdirSync("/tmp")).not.toContain(String(printed));
});

it("GLIDE's socket stays while the process goes on after a worker thread that used it", async () => {
  const program = `
    const { Worker } = await import("node:worker_threads");
    const use = async (library) => {
      const cache = library.createCache({ location: ${JSON.stringify(inject("valkeyUrl"))} });
      await cache.set("city", "Bern");
      const { transport } = await cache.health();
      await cache.close();
      return transport;
    };
    const code = "(" + use + ")(await import('${new URL("../../../src/index.ts", import.meta.url)}'))";
    const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent("await " + code)));
    await new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
    console.log(JSON.stringify([await use(lib), await use(lib)]));`;
  expect(read(await runScript(program)).printed).toEqual(["valkey-glide", "valkey-glide"]);
});
