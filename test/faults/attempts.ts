import { runScript } from "../support/script.js";

/** The effect of one cause on the servers of one transport. */
export interface Attempts {
  readonly transport: string;
  readonly cause: string;
  /** Connections to one server address, while calls were made. */
  readonly connections: number;
  /** After `close()` had resolved. */
  readonly afterClose: number;
  readonly closeMs: number;
  /** The error of the last call; of the last one that names the cause, where there was one. */
  readonly error: string;
  /** CPU time in percent of a core. One process runs all causes of a transport, its servers included. */
  readonly cpuPercent: number;
}

/** The options of a cache for each transport, as source text. `ports` are those of its servers, `port` is the first one. */
const TRANSPORTS = {
  "the default, valkey-glide": "{ location: url(ports[0]), ...login }",
  "the default, several addresses": "{ location: ports.map(url), ...login }",
  "several addresses, reading from replicas": '{ location: ports.map(url), readFrom: "preferReplica", ...login }',
  "glide()": "{ location: url(ports[0]), connectionFactory: lib.glide(login) }",
  "glideCluster()": "{ location: url(ports[0]), connectionFactory: lib.glideCluster(login) }",
  "iovalkey()": "{ location: url(ports[0]), connectionFactory: lib.iovalkey(login) }",
  "sentinel()": "{ location: service, connectionFactory: lib.sentinel({ sentinels, ...login }) }",
  "sentinel() over iovalkey": "{ location: service, connectionFactory: overIovalkey({ sentinels, ...login }) }",
  "sentinel(), its sentinels":
    "{ location: service, connectionFactory: lib.sentinel({ sentinels, ...sentinelLogin }) }",
  "sentinel() over iovalkey, its sentinels":
    "{ location: service, connectionFactory: overIovalkey({ sentinels, ...sentinelLogin }) }",
} as const;

export const NAMES = Object.keys(TRANSPORTS) as (keyof typeof TRANSPORTS)[];

const source = (path: string) => JSON.stringify(new URL(path, import.meta.url));

const PROGRAM = (transport: keyof typeof TRANSPORTS, seconds: number, quietSeconds: number, counts: boolean) => `
  import { readFileSync } from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  // The first attempt of a process to connect would wait until it is loaded, which on a busy machine takes all of its time.
  await import("@valkey/valkey-glide");
  const { startFailingServer } = await import(${source("./failing-server.ts")});
  const { sentinel: overIovalkey } = await import(${source("../../src/connection/sentinel/workerd.ts")});
  // The default warns that it uses iovalkey at the server that refuses valkey-glide.
  process.removeAllListeners("warning");
  const atSentinels = ${transport.endsWith("its sentinels")};
  const hasSentinels = ${transport.startsWith("sentinel")};
  const addresses = ${transport.includes("several") ? 2 : 1};

  /** Counters of this process's network namespace, if it has one. */
  const counter = (protocol, name) => () => {
    const [names, values] = readFileSync("/proc/net/snmp", "utf8")
      .split("\\n")
      .filter((line) => line.startsWith(protocol + ":"))
      .map((line) => line.split(" "));
    return Number(values[names.indexOf(name)]) / addresses;
  };
  const withoutServer = ${counts}
    ? [
        { cause: "refused port", host: "127.0.0.1", ports: [1, 2], count: counter("Tcp", "AttemptFails") },
        { cause: "no route", host: "192.0.2.1", ports: [1, 2], count: counter("Ip", "OutNoRoutes") },
      ]
    : [];
  const causes = ["wrong password", "certificate", "maxclients", "reset", "hanging", "unknown database", "refuses valkey-glide"].filter(
    (cause) => !(atSentinels && cause === "unknown database"),
  );
  const faulty = await Promise.all(causes.map(async (cause) => ({ cause, ...(await servers(cause)) })));
  const lost = ["lost under calls", "lost while idle"].map(async (cause) => ({ cause, ...(await servers("none")) }));
  // The groups run in turn, as a closed cluster client looks for its nodes at an address without a route.
  const groups = [[...faulty, ...withoutServer], await Promise.all(lost)];

  async function servers(fault) {
    const healthy = atSentinels ? (await startFailingServer("none")).port : 0;
    const roles = addresses === 1 ? ["master"] : ["master", "slave"];
    const all = await Promise.all(roles.map((role) => startFailingServer(fault, { role, primaryPort: healthy })));
    return {
      host: "127.0.0.1",
      ports: all.map(({ port }) => port),
      count: () => Math.max(...all.map(({ accepted }) => accepted)),
      lose: () => all.forEach((server) => server.become("reset")),
    };
  }

  async function open({ cause, host, ports }) {
    const tls = cause === "certificate";
    const database = cause === "unknown database" ? "/99" : "";
    const scheme = tls ? "valkeys" : "valkey";
    const url = (port) => scheme + "://" + host + ":" + port + database;
    const password = cause === "wrong password" ? "wrong" : undefined;
    const login = { password };
    const sentinelLogin = { sentinelPassword: password, sentinelTls: tls };
    const well = hasSentinels && !atSentinels && host === "127.0.0.1" && (await startFailingServer("none", { primaryPort: ports[0] }));
    const unroutable = hasSentinels && !atSentinels && host !== "127.0.0.1";
    const sentinels = well ? [{ host, port: well.port }] : [{ host, port: ports[0] }];
    const service = (atSentinels ? "valkey" : scheme) + "://service" + (atSentinels ? "" : database);
    return unroutable ? undefined : lib.createCache(${TRANSPORTS[transport]});
  }

  async function measure(cell) {
    const cache = await open(cell);
    if (!cache) return [];
    let error = "";
    // An attempt that a busy machine has no time for says so, and says nothing of the cause that others have named. Only of a
    // server that hangs it is the cause, and another one that the attempt before was given up.
    const note = (text) => {
      const isTime = / within \\d+ ms|did not answer in time/.test(text);
      if (error === "" || isTime === (cell.cause === "hanging")) error = text;
    };
    const call = () => cache.get("a").then(() => (error = ""), (failure) => note(String(failure)));
    const isLost = cell.cause.startsWith("lost");
    if (isLost) {
      await call();
      cell.lose();
    }
    const before = cell.count();
    const endMs = performance.now() + ${seconds * 1_000};
    while (performance.now() < endMs) {
      if (cell.cause !== "lost while idle") void call();
      await sleep(50);
    }
    const last = error;
    const connections = cell.count() - (isLost ? before : 0);
    const startMs = performance.now();
    await cache.close();
    const closed = cell.count();
    const closeMs = performance.now() - startMs;
    await sleep(${quietSeconds * 1_000});
    return [{ cause: cell.cause, connections, afterClose: cell.count() - closed, closeMs, error: last }];
  }

  const atStart = process.cpuUsage();
  const startMs = performance.now();
  const measured = [];
  for (const cells of groups) measured.push(...(await Promise.all(cells.map(measure))).flat());
  const { user, system } = process.cpuUsage(atStart);
  const cpuPercent = (user + system) / 10 / (performance.now() - startMs);
  console.log(JSON.stringify(measured.map((one) => ({ ...one, cpuPercent }))));
  process.exit();
`;

/** A separate network namespace without a route, whose counters include only this process. */
const OWN_NETWORK = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];

/** Calls a cache for each cause 20 times a second over one transport. @param counts whether users may create network namespaces */
export async function attempts(
  transport: keyof typeof TRANSPORTS,
  { seconds, quietSeconds, counts }: { seconds: number; quietSeconds: number; counts: boolean },
): Promise<Attempts[]> {
  const program = PROGRAM(transport, seconds, quietSeconds, counts);
  const { stdout, stderr } = await runScript(program, (2 * seconds + 60) * 1_000, counts ? OWN_NETWORK : []);
  if (stderr !== "") throw new Error(`${transport}: ${stderr}`);
  const measured: Omit<Attempts, "transport">[] = JSON.parse(stdout);
  return measured.map((one) => ({ transport, ...one }));
}
