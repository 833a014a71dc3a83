import { cpSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { launch } from "../support/launch.js";
import { freePort, listenAnywhere } from "../support/ports.js";
import { until } from "../support/wait.js";
import { apps, environment, openApp, tools } from "./app.js";

const next = join(tools, "node_modules", "next", "dist", "bin", "next");
const sources = join(tools, "next-app");

/** An answer that takes so many milliseconds, a failure at once or after 300 ms, or none ever. */
export type Step = number | "fail" | "fail late" | "hang";

/** What the applications load, by name, and how often they did. */
export interface Origin extends AsyncDisposable {
  readonly url: string;
  calls(name: string): number;
  /** What the next calls get. Calls after them are answered at once. */
  script(name: string, ...steps: Step[]): void;
}

/** An origin that answers each call with its number. */
export async function startOrigin(): Promise<Origin> {
  const calls = new Map<string, number>();
  const scripts = new Map<string, Step[]>();
  const server = createHttpServer((incoming, response) => {
    const name = (incoming.url ?? "").slice(1);
    const generation = (calls.get(name) ?? 0) + 1;
    calls.set(name, generation);
    const step = scripts.get(name)?.shift() ?? 0;
    if (step === "hang") return;
    const isFailure = step === "fail" || step === "fail late";
    const takesMs = step === "fail late" ? 300 : step === "fail" ? 0 : step;
    const answer = () => response.writeHead(isFailure ? 500 : 200).end(JSON.stringify({ generation }));
    if (takesMs > 0) setTimeout(answer, takesMs);
    else answer();
  });
  const port = await listenAnywhere(server);
  return {
    url: `http://127.0.0.1:${port}`,
    calls: (name) => calls.get(name) ?? 0,
    script: (name, ...steps) => void scripts.set(name, steps),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Instance extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Its copy of the application. */
  readonly folder: string;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** The body of a response that is not an error. */
  text(path: string, init?: RequestInit): Promise<string>;
  json(path: string, init?: RequestInit): Promise<unknown>;
  log(): string;
  kill(signal: NodeJS.Signals): Promise<void>;
}

export interface Settings {
  origin: Pick<Origin, "url">;
  valkeyUrl: string;
  /** Next's own handlers, those in files of the application's own, or those of the package. @default HANDLERS of the environment, else "package" */
  handlers?: string;
  /** @default "start" */
  command?: "start" | "dev";
}

export interface NextApp extends Disposable {
  readonly folder: string;
  /** Runs `next build`. */
  build(settings?: { valkeyUrl?: string; buildId?: string }): Promise<void>;
  /** Starts an instance on a free port, with a copy of the build as on a machine of its own. */
  start(settings: Settings): Promise<Instance>;
}

/** A copy of one of the applications in next-app/. */
export function nextApp(name: "components" | "incremental"): NextApp {
  const folder = mkdtempSync(join(apps, "app-"));
  for (const file of globSync("*.*", { cwd: sources })) cpSync(join(sources, file), join(folder, file));
  cpSync(join(sources, name), folder, { recursive: true });
  const app = openApp(folder);
  return {
    folder,
    async build({ valkeyUrl = "valkey://127.0.0.1:1", buildId = "first" } = {}) {
      await app.run("env", `VALKEY_URL=${valkeyUrl}`, `BUILD_ID=${buildId}`, "node", next, "build");
    },
    start: (settings) => start(folder, settings),
    [Symbol.dispose]: () => app[Symbol.dispose](),
  };
}

async function start(app: string, settings: Settings): Promise<Instance> {
  const { origin, valkeyUrl, handlers = process.env.HANDLERS ?? "package", command = "start" } = settings;
  const folder = mkdtempSync(join(apps, "instance-"));
  cpSync(app, folder, { recursive: true, filter: (path) => !path.endsWith("/.next/cache") });
  const port = await freePort();
  const variables = { ...environment(folder), VALKEY_URL: valkeyUrl, ORIGIN_URL: origin.url, HANDLERS: handlers };
  const assignments = Object.entries(variables).map(([name, value = ""]) => `${name}=${value}`);
  const program = ["node", next, command, "--port", String(port), "--hostname", "127.0.0.1"];
  const running = await launch("env", ["-i", ...assignments, ...program], folder);
  const url = `http://127.0.0.1:${port}`;
  const instance: Instance = {
    url,
    pid: running.pid,
    folder,
    fetch: (path, init = {}) =>
      fetch(`${url}${path}`, { redirect: "manual", signal: AbortSignal.timeout(30_000), ...init }),
    async text(path, init) {
      const response = await instance.fetch(path, init);
      const text = await response.text();
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${running.log()}`);
      return text;
    },
    json: async (path, init) => JSON.parse(await instance.text(path, init)),
    log: () => running.log(),
    kill: (signal) => running.kill(signal),
    async [Symbol.asyncDispose]() {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const answers = async () => running.ended || (await instance.fetch("/")).ok;
  await until(answers, { what: `next ${command}`, timeoutMs: 60_000 });
  if (running.ended) throw new Error(`next ${command} ended: ${running.log()}`);
  return instance;
}

/** A proxy that sends one request after another to each instance in turn. */
async function roundRobin(instances: readonly Instance[]): Promise<AsyncDisposable & { url: string }> {
  let requests = 0;
  const server = createHttpServer((incoming, outgoing) => {
    const target = instances[requests++ % instances.length];
    if (target) forward(incoming, outgoing, target.url);
  });
  const port = await listenAnywhere(server);
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, target: string): void {
  const { method, headers, url = "/" } = incoming;
  const onward = request(new URL(url, target), { method, headers }, (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(outgoing);
  });
  onward.on("error", () => outgoing.destroy());
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
}

/** Instances of one build over one store, behind a round-robin proxy. */
export interface Fleet extends AsyncDisposable {
  /** The URL of the proxy. */
  readonly url: string;
  readonly instances: readonly Instance[];
  /** The bodies of so many requests at the same time, which the instances get in turn. */
  atOnce(path: string, times?: number): Promise<string[]>;
}

/** Starts instances. */
export async function startFleet(app: NextApp, settings: Settings, size = 2): Promise<Fleet> {
  const instances = await Promise.all(Array.from({ length: size }, () => app.start(settings)));
  const proxy = await roundRobin(instances);
  const ask = async (path: string) => {
    const response = await fetch(`${proxy.url}${path}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return text;
  };
  return {
    url: proxy.url,
    instances,
    atOnce: (path, times = 20) => Promise.all(Array.from({ length: times }, () => ask(path))),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await Promise.all(instances.map((instance) => instance[Symbol.asyncDispose]()));
    },
  };
}

/** A server that counts connections and answers nothing. */
export async function countConnections(): Promise<AsyncDisposable & { url: string; count(): number }> {
  let count = 0;
  const server = createServer((socket) => {
    count += 1;
    socket.destroy();
  });
  const port = await listenAnywhere(server);
  return {
    url: `valkey://127.0.0.1:${port}`,
    count: () => count,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Revalidates through an instance's own route, with a query as in next-app/revalidate.js. */
export async function revalidate(instance: Instance, query: string): Promise<void> {
  await instance.text(`/revalidate?${query}`, { method: "POST" });
}

/** The cookies of a client in draft mode. */
export async function draftCookie(instance: Instance): Promise<string> {
  const fields = (await instance.fetch("/draft")).headers.getSetCookie();
  return fields.map((field) => field.split(";")[0]).join("; ");
}

/** Waits until so many seconds have passed. */
export async function passed(seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1_000;
  await until(() => performance.now() > end, { what: `${seconds} s to pass`, timeoutMs: seconds * 2_000 });
}

/** What a page shows in the element with an id. */
export function shown(html: string, id = "generation"): string | undefined {
  return new RegExp(`<p id="${id}">([^<]*)</p>`).exec(html)?.[1];
}
