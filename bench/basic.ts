import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { measureGrid } from "./stores/grid.ts";
import { gridTable } from "./tables.ts";

const stores = [
  { name: "plain GLIDE", file: "glide" },
  { name: "valkey-edge-cache", file: "library" },
  { name: "plain ioredis", file: "ioredis" },
  { name: "plain iovalkey", file: "iovalkey" },
];
const overIovalkey = [
  { name: "plain iovalkey", file: "iovalkey" },
  { name: "valkey-edge-cache, iovalkey()", file: "library-iovalkey" },
];

const options = benchOptions();
await using server = await startServer();
const cases = await measureGrid(server.url, stores, ["get", "set", "getMany(100)", "getOrSet, a hit"], options);
console.log("\nover iovalkey");
const iovalkey = await measureGrid(server.url, overIovalkey, ["get", "set", "getOrSet, a hit"], options);
const packages = ["@valkey/valkey-glide", "ioredis", "iovalkey"];
const result = { environment: await environment(server.version, packages), cases, iovalkey };
console.log(`\n${toMarkdown(gridTable(result))}`);
console.log(`\n${toMarkdown(gridTable({ ...result, cases: iovalkey }))}`);
if (isComplete(options)) await writeResult("basic", result);
