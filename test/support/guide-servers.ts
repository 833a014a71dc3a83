import { expect } from "vitest";
import { curl, stepsOf } from "./curl.js";
import { documented } from "./docs.js";
import type { Running } from "./launch.js";
import { HOST } from "./ports.js";
import { until } from "./wait.js";

/** Pages whose files run as they are printed. */
export const GUIDES = ["express", "fastify", "hono", "nextjs", "nestjs", "nitro-nuxt", "sveltekit"].map(
  (name) => `guides/${name}.md`,
);

/** The application of a guide, as another process. */
export interface GuideServer extends AsyncDisposable {
  readonly running: Running;
  /** What a command of the page prints when it is called with this server. */
  curl(command: string): Promise<string[]>;
}

/** A process that has been launched, when it answers on its port. */
export async function answering(running: Running, port: number): Promise<GuideServer> {
  const asked = (command: string) => curl(command, { "localhost:3000": `${HOST}:${port}` });
  const hasAnswered = async () => running.ended || (await asked("curl -s http://localhost:3000/nothing")) !== undefined;
  await until(hasAnswered, { what: `an answer on port ${port}`, timeoutMs: 30_000 });
  if (running.ended) throw new Error(`the application ended: ${running.log()}`);
  return { running, curl: asked, [Symbol.asyncDispose]: () => running.stop() };
}

/** Without the seconds that are left, which depend on the machine. */
const timeless = (lines: readonly string[]) => lines.map((line) => line.replace(/ttl=\d+/, "ttl=…"));

/** Calls the commands of a page, and expects the lines that it shows. */
export async function follow(page: string, server: GuideServer): Promise<void> {
  const steps = stepsOf(documented(page, "$ curl").code);
  expect(steps.length).toBeGreaterThan(3);
  for (const { command, printed } of steps) {
    expect(timeless(await server.curl(command)), command).toEqual(timeless(printed));
  }
}

/** Another URL of the route that guides have, at a host that all processes have in common. */
const OTHER = "curl -si -H 'Host: shop.example' http://localhost:3000/products/7?lang=en | grep -iE 'cache-status'";
const HIT = [expect.stringMatching(/cache-status: .*; hit/i)];
const MISS = [expect.stringMatching(/cache-status: .*fwd=uri-miss; stored/i)];

/** Follows a page whose application has data and responses, in two processes, and ends them. */
export async function followInTwo(page: string, start: () => Promise<GuideServer>): Promise<void> {
  await using first = await start();
  await using second = await start();
  expect(await first.curl(OTHER)).toEqual(MISS);
  expect(await second.curl(OTHER)).toEqual(HIT);
  await follow(page, first);
  // The tag has ended this response, too. The value is the one that the first process has loaded.
  expect(await second.curl(OTHER)).toEqual(MISS);
  expect(await second.curl("curl -s http://localhost:3000/products/7")).toEqual(['{"id":"7","name":"Desk lamp"}']);
  // They end by themselves, as nothing of the cache is left open.
  for (const { running } of [first, second]) await running.kill("SIGTERM");
}

const READ = "curl -si http://localhost:3000/products/7 | grep -iE '^HTTP|name'";
const WRITE = `curl -si -X PUT --json '{"name":"Desk lamp"}' http://localhost:3000/products/7 | grep -iE '^HTTP'`;

/** Expects of an application whose server of Valkey is gone that reads are answered, and that writes fail. */
export async function expectReads(server: GuideServer): Promise<void> {
  expect(await server.curl(READ)).toEqual(["HTTP/1.1 200 OK", '{"id":"7","name":"Lamp"}']);
  expect(await server.curl(WRITE)).toEqual([expect.stringContaining("500")]);
}
