import { dirname } from "node:path";
import { beforeAll, expect, inject, it, onTestFinished } from "vitest";
import { documented, writeBlock } from "../support/docs.js";
import { launch } from "../support/launch.js";
import { freePort } from "../support/ports.js";
import { build } from "../support/project.js";
import { until } from "../support/wait.js";

beforeAll(build, 120_000);

it("the service of Express in docs/inspector.md shows its inspector to clients with the password", async () => {
  const port = await freePort();
  const file = writeBlock(documented("inspector.md", "getRequestListener(page.fetch)"), {
    "valkey://localhost:6379": inject("valkeyUrl"),
    "listen(3000)": `listen(${port})`,
  });
  const service = await launch("env", ["INSPECTOR_PASSWORD=secret", process.execPath, file], dirname(file));
  onTestFinished(() => service.stop());
  const url = `http://localhost:${port}`;
  const report = await until(() => fetch(`${url}/report`), {
    what: `the service to listen; it says: ${service.log()}`,
  });
  expect(await report.json()).toEqual({ rows: 3 });
  expect((await fetch(`${url}/cache/`)).status).toBe(401);
  const headers = { Authorization: `Basic ${btoa("admin:secret")}` };
  const page = await fetch(`${url}/cache/`, { headers });
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<title>Cache inspector</title>")]);
});
