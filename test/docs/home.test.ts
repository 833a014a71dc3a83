import { beforeAll, expect, inject, it, vi } from "vitest";
import { documented, importBlock } from "../support/docs.js";
import { build } from "../support/project.js";

beforeAll(() => build(), 120_000);

it("the code of docs/index.md prints the value that it loads", async () => {
  const log = vi.spyOn(console, "log").mockReturnValue();
  const location = { "valkey://localhost:6379": inject("valkeyUrl") };
  await importBlock(documented("index.md", "createCache"), location);
  expect(log.mock.calls).toEqual([["Bern"]]);
});
