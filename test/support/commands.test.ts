import { expect, it } from "vitest";
import { unknownCommand } from "./commands.js";

const project = { name: "cache", scripts: { test: "", start: "", bench: "" }, packages: ["hono"] };

it.each([
  "npm test",
  "$ npm start",
  "VALKEY_URL=valkey://localhost:6379 npm start",
  "npm run bench # prints a table",
  "npm install cache hono",
  "# only a comment",
  "",
  "git clone https://example.org/cache.git",
])("unknownCommand() accepts the line '%s'", (line) => {
  expect(unknownCommand(line, project)).toBeUndefined();
});

it.each([
  ["npm run benhc", 'no script "benhc"'],
  ["npm deploy", 'no script "deploy"'],
  ["npm install left-pad", "left-pad is not a package of this project"],
  ["yarn test", "not one of npm"],
])("unknownCommand() reports the fault of %s", (line, reason) => {
  expect(unknownCommand(line, project)).toContain(reason);
});
