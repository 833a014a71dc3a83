import { expect, it } from "vitest";
import { command } from "./command.js";
import { startSentinels } from "./sentinels.js";

it("started sentinels agree on the primary before and after a failover", async () => {
  await using group = await startSentinels({ replicas: 1, sentinels: 3 });
  const [replica] = group.replicas;
  await expect(group.primaryPort()).resolves.toBe(group.primary.port);
  await group.failover();
  await expect(group.primaryPort()).resolves.toBe(replica?.port);
  const role = (await command(replica?.port ?? 0, ["ROLE"])) as unknown[];
  expect(role[0]).toBe("master");
});
