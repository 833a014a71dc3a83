import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, inject, it } from "vitest";
import { bin, build, output, root } from "../../support/project.js";

const entry = pathToFileURL(join(root, "dist/index.js")).href;

/** Simulates a platform without a build of GLIDE. */
const WITHOUT_GLIDE = `
  import { registerHooks } from "node:module";

  let asked = 0;
  registerHooks({
    resolve(name, context, next) {
      if (!name.startsWith("@valkey/")) return next(name, context);
      asked++;
      throw new Error("no native build");
    },
  });
  const { createCache, glide } = await import(${JSON.stringify(entry)});
  const [location] = process.argv.slice(1);
`;

const run = (program: string) =>
  output(join(bin, "node"), ["--input-type=module", "--eval", WITHOUT_GLIDE + program, inject("valkeyUrl")]);

beforeAll(() => build(), 120_000);

it("the default factory uses iovalkey if GLIDE can't be loaded, and tries to load GLIDE once", async () => {
  const program = `
    const caches = [{}, { maxIdle: "30s" }, { readFrom: "preferReplica" }].map((options) =>
      createCache({ location, keyPrefix: "without-glide", ...options }),
    );
    await caches[0].set("city", "Bern");
    const found = await Promise.all(caches.map((cache) => cache.get("city")));
    await Promise.all(caches.map((cache) => cache.close()));
    console.log(JSON.stringify({ found, asked: asked > 0 && asked <= 2 }));
  `;
  expect(JSON.parse(await run(program))).toEqual({ found: ["Bern", "Bern", "Bern"], asked: true });
});

it("glide() names iovalkey() as the remedy if GLIDE can't be loaded", async () => {
  const program = `
    const cache = createCache({ location, connectionFactory: glide() });
    const error = await cache.get("city").catch((error) => error);
    console.log(JSON.stringify({ name: error.name, message: error.message, cause: error.cause?.message }));
  `;
  expect(JSON.parse(await run(program))).toEqual({
    name: "ConfigurationError",
    message: "valkey-glide can't be loaded on this platform; use iovalkey()",
    cause: "no native build",
  });
});
