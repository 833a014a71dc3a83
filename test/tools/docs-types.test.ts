import { expect, it } from "vitest";
import { MODULES } from "../docs/modules.js";
import { docsBlocks, docsPages, needsTools, typeCheck } from "../support/docs.js";
import { apps } from "./app.js";

it("the TypeScript of docs/ that imports frameworks and other caches type-checks", async () => {
  const blocks = docsPages()
    .flatMap(docsBlocks)
    .filter(({ language }) => language === "ts" || language === "tsx");
  await expect(typeCheck(blocks.filter(needsTools), MODULES, apps)).resolves.toBe("");
});
