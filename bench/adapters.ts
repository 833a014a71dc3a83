import { measureGets } from "./adapters/gets.ts";
import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { hitTable } from "./tables.ts";

/** What a read costs through keyv and unstorage over this library, beside its own `get` and beside their adapters of Redis. */
const options = benchOptions();
await using server = await startServer();
const cases = await measureGets(server, options);
const packages = ["@valkey/valkey-glide", "iovalkey", "keyv", "@keyv/redis", "@keyv/valkey", "unstorage", "ioredis"];
const result = { environment: await environment(server.version, packages), cases };
console.log(`\n${toMarkdown(hitTable(result))}`);
if (isComplete(options)) await writeResult("adapters", result);
