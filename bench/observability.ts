import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { measureGrid } from "./stores/grid.ts";
import { observabilityTable } from "./tables.ts";

const stores = [
  { name: "no listeners", file: "library" },
  { name: "statistics()", file: "library-statistics" },
  { name: "OpenTelemetry metrics", file: "library-otel" },
];

const options = benchOptions();
await using server = await startServer();
// What is counted does not depend on the size of values.
const only = options.only.length > 0 ? options.only : ["1 KB"];
const cases = await measureGrid(server.url, stores, ["get", "getOrSet, a hit"], { ...options, only });
const packages = ["@valkey/valkey-glide", "@opentelemetry/sdk-metrics"];
const result = { environment: await environment(server.version, packages), cases };
console.log(`\n${toMarkdown(observabilityTable(result))}`);
if (isComplete(options)) await writeResult("observability", result);
