import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { command } from "../support/command.js";
import { launch } from "../support/launch.js";
import { blocksOf } from "../support/markdown.js";
import { freePort } from "../support/ports.js";
import { root } from "../support/project.js";
import { until } from "../support/wait.js";
import { createApp, environment, tools } from "./app.js";

/** The function of docs/edge.md that this line registers with its host. */
function documented(registration: string): string {
  const blocks = blocksOf(readFileSync(join(root, "docs", "edge.md"), "utf8"));
  const block = blocks.find(({ code }) => code.includes(`// ${registration}`));
  return block?.code.replace(`// ${registration}`, registration) ?? "";
}

const stored = (id: string) => command(Number(new URL(inject("valkeyUrl")).port), ["GET", `:1:report:${id}`]);

describe("the functions in docs/edge.md", () => {
  it("of Azure answer from the cache, called as its host calls them", async () => {
    const source = documented('app.http("report", { methods: ["GET"], handler: report });');
    using app = createApp({
      "package.json": '{ "private": true, "type": "module" }',
      "function.ts": `import { app } from "@azure/functions";\n${source}`,
      "main.ts": `
        import { HttpRequest, InvocationContext } from "@azure/functions";
        import { report } from "./function.ts";

        const request = new HttpRequest({ method: "GET", url: "http://localhost/api/report?id=azure" });
        const answers = [await report(request), await report(request)];
        console.log(JSON.stringify(answers));
        process.exit();
      `,
    });
    for (let i = 0; i < 2; i++) {
      const answers = [{ jsonBody: { rows: 3 } }, { jsonBody: { rows: 3 } }];
      expect(JSON.parse(lastLine(await app.run("node", "main.ts")))).toEqual(answers);
    }
    expect(await stored("azure")).not.toBeNull();
  });

  it("of Google answer from the cache under its functions framework", async () => {
    const source = documented('http("report", report);');
    using app = createApp({
      "package.json": '{ "private": true, "type": "module", "main": "main.ts" }',
      "main.ts": `import { http } from "@google-cloud/functions-framework";\n${source}`,
    });
    const port = await freePort();
    const settings = Object.entries(environment(app.folder)).map(([name, value = ""]) => `${name}=${value}`);
    const framework = join(tools, "node_modules", ".bin", "functions-framework");
    const args = ["-i", ...settings, framework, "--target=report", `--port=${port}`];
    const running = await launch("env", args, app.folder);
    onTestFinished(() => running.stop());
    const call = () => fetch(`http://localhost:${port}/?id=google`);
    await until(
      () =>
        call().then(
          ({ ok }) => ok || running.ended,
          () => running.ended,
        ),
      { what: "the framework" },
    );
    expect(running.ended, running.log()).toBe(false);
    expect(await (await call()).json()).toEqual({ rows: 3 });
    expect(await stored("google")).not.toBeNull();
  });
});

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
