import { expect, it } from "vitest";
import { blocksOf } from "./markdown.js";

it("blocksOf() finds fenced blocks with their language and line", () => {
  const text = ["# Title", "", "```sh", "npm test", "npm start", "```", "", "```", "plain", "```", ""].join("\n");
  expect(blocksOf(text)).toEqual([
    { language: "sh", code: "npm test\nnpm start\n", line: 3, before: "" },
    { language: "", code: "plain\n", line: 8, before: "" },
  ]);
});

it("blocksOf() finds the code of a before comment directly before a fence", () => {
  const text = ["<!-- before: const a = 1;", "const b = 2; -->", "```ts", "a + b;", "```"].join("\n");
  expect(blocksOf(text)).toEqual([{ language: "ts", code: "a + b;\n", line: 3, before: "const a = 1;\nconst b = 2;" }]);
  expect(blocksOf(`<!-- before: x -->\ntext\n\`\`\`ts\n\`\`\`\n`)[0]?.before).toBe("");
});
