import { tmpdir } from "node:os";
import { describe, inject, it } from "vitest";
import { createApp, expectHit, moved, PROGRAM } from "./app.js";

describe("the package", () => {
  it("caches over iovalkey where npm omits optional packages, valkey-glide's native code among them", async () => {
    using app = createApp({ "app.mjs": PROGRAM }, tmpdir());
    const settings = ["--omit=optional", "--prefer-offline", "--no-audit", "--no-fund"];
    await app.run("npm", "install", ...settings, inject("tarball"));
    await expectHit(app, "iovalkey", "node", "app.mjs");
  });

  it("finds valkey-glide in pnpm's strict layout, also from a bundle", async () => {
    const files = { "app.mjs": PROGRAM, "pnpm-workspace.yaml": "allowBuilds:\n  protobufjs: false\n" };
    using app = createApp(files, tmpdir());
    await app.run("pnpm", "add", "--store-dir=store", inject("tarball"));
    await expectHit(app, "valkey-glide", "node", "app.mjs");
    using bundled = moved(app);
    await bundled.run("esbuild", "app.mjs", "--bundle", "--platform=node", "--outfile=out/app.cjs");
    await expectHit(bundled, "valkey-glide", "node", "out/app.cjs");
  });
});
