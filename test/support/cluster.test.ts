import { expect, inject, it } from "vitest";
import { startCluster } from "./cluster.js";
import { command } from "./command.js";

it("all test files share one cluster of three primaries", async () => {
  const ports = inject("clusterUrl")
    .split(",")
    .map((url) => Number(new URL(url).port));
  expect(ports).toHaveLength(3);
  const infos = await Promise.all(ports.map((port) => command(port, ["CLUSTER", "INFO"])));
  for (const info of infos) {
    expect(info).toContain("cluster_state:ok");
    expect(info).toContain("cluster_size:3\r");
  }
});

it("startCluster() gives every primary replicas with the same data", async () => {
  await using cluster = await startCluster({ primaries: 3, replicas: 1 });
  expect(cluster.nodes).toHaveLength(6);
  const roles = await Promise.all(cluster.nodes.map(({ port }) => command(port, ["ROLE"])));
  expect(roles.map((role) => (role as unknown[])[0])).toEqual([
    "master",
    "master",
    "master",
    "slave",
    "slave",
    "slave",
  ]);
});
