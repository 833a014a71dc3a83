import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.js";
import { launch, type Running } from "./launch.js";
import { freePort, HOST } from "./ports.js";
import { startValkey, type ValkeyServer } from "./servers.js";
import { until } from "./wait.js";

export interface Sentinels extends AsyncDisposable {
  /** The name of the primary at the sentinels. */
  readonly service: string;
  readonly sentinels: readonly { host: string; port: number; kill(signal: NodeJS.Signals): Promise<void> }[];
  /** Roles are those at the start. */
  readonly primary: ValkeyServer;
  readonly replicas: readonly ValkeyServer[];
  /** The port of the primary by all sentinels; undefined while they disagree. */
  primaryPort(): Promise<number | undefined>;
  /** Promotes a replica. When this resolves, every sentinel knows the new primary. */
  failover(): Promise<void>;
  stop(): Promise<void>;
}

export interface SentinelOptions {
  /** @default 1 */
  replicas?: number;
  /** Number of sentinels. @default 3 */
  sentinels?: number;
  /**
   * How long a server may be silent until sentinels call it down, and fail over. Long by default, so that they don't because
   * the machine is busy. @default 5000
   */
  downAfterMs?: number;
}

interface Seat {
  id: string;
  port: number;
}

const SERVICE = "primary";
/** Replicas copy without delay. */
const SOON = ["--repl-diskless-sync-delay", "0"];

/** Starts a primary with replicas, and sentinels that monitor them. When this resolves, all know each other. */
export async function startSentinels(options: SentinelOptions = {}): Promise<Sentinels> {
  const primary = await startValkey({ args: SOON });
  const replicas = await Promise.all(Array.from({ length: options.replicas ?? 1 }, () => startReplica(primary)));
  // Sentinels refresh rarely, so their first view has to be the final one.
  await Promise.all(replicas.map(({ port }) => until(() => isFollowing(port), { what: "a replica to follow" })));
  const seats = await Promise.all(Array.from({ length: options.sentinels ?? 3 }, newSeat));
  const folder = await mkdtemp(join(tmpdir(), "sentinel-"));
  const { downAfterMs = 5_000 } = options;
  const surroundings = { seats, primary, replicas, folder, downAfterMs };
  const running = await Promise.all(seats.map((seat) => startSentinel(seat, surroundings)));
  const stop = async () => {
    await Promise.all([...running, primary, ...replicas].map((one) => one.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  const primaryPort = () => agreedPrimary(seats);
  await until(() => allKnowAll(seats, replicas.length), { what: "the sentinels to be ready", timeoutMs: 15_000 });
  return {
    service: SERVICE,
    sentinels: seats.map(({ port }, i) => ({
      host: HOST,
      port,
      kill: (signal) => (running[i] as Running).kill(signal),
    })),
    primary,
    replicas,
    primaryPort,
    async failover() {
      const before = await until(primaryPort, { what: "the sentinels to agree on a primary" });
      const [first] = seats as [Seat];
      await until(() => command(first.port, ["SENTINEL", "FAILOVER", SERVICE]), { what: "a failover to begin" });
      const isDone = async () => ((await primaryPort()) ?? before) !== before;
      await until(isDone, { what: "the sentinels to agree on another primary", timeoutMs: 15_000 });
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function startReplica(primary: ValkeyServer): Promise<ValkeyServer> {
  return startValkey({ args: ["--replicaof", HOST, String(primary.port), ...SOON] });
}

async function isFollowing(port: number): Promise<boolean> {
  const role = (await command(port, ["ROLE"])) as unknown[];
  return role[3] === "connected";
}

async function newSeat(): Promise<Seat> {
  return { id: randomBytes(20).toString("hex"), port: await freePort() };
}

interface Surroundings {
  seats: readonly Seat[];
  primary: ValkeyServer;
  replicas: readonly ValkeyServer[];
  folder: string;
  downAfterMs: number;
}

/** Sentinels discover each other slowly, so each gets the addresses of the others. */
async function startSentinel(
  seat: Seat,
  { seats, primary, replicas, folder, downAfterMs }: Surroundings,
): Promise<Running> {
  const others = seats.filter(({ id }) => id !== seat.id);
  const own = await mkdtemp(join(folder, `${seat.port}-`));
  const file = join(own, "sentinel.conf");
  const quorum = Math.floor(seats.length / 2) + 1;
  const lines = [
    `port ${seat.port}`,
    `bind ${HOST}`,
    `dir ${own}`,
    `sentinel myid ${seat.id}`,
    `sentinel monitor ${SERVICE} ${HOST} ${primary.port} ${quorum}`,
    `sentinel down-after-milliseconds ${SERVICE} ${downAfterMs}`,
    `sentinel failover-timeout ${SERVICE} 5000`,
    ...replicas.map(({ port }) => `sentinel known-replica ${SERVICE} ${HOST} ${port}`),
    ...others.map(({ id, port }) => `sentinel known-sentinel ${SERVICE} ${HOST} ${port} ${id}`),
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  return await launch("valkey-sentinel", [file], own);
}

async function allKnowAll(seats: readonly Seat[], replicas: number): Promise<boolean> {
  const answers = await Promise.all(
    seats.map(async ({ port }) => {
      const usable = String(await command(port, ["SENTINEL", "CKQUORUM", SERVICE]));
      const known = (await command(port, ["SENTINEL", "REPLICAS", SERVICE])) as string[][];
      const areUp = known.every((fields) => fields[fields.indexOf("flags") + 1] === "slave");
      return usable.startsWith(`OK ${seats.length} `) && known.length === replicas && areUp;
    }),
  );
  return answers.every(Boolean);
}

async function agreedPrimary(seats: readonly Seat[]): Promise<number | undefined> {
  const ports = await Promise.all(
    seats.map(async ({ port }) => {
      const address = (await command(port, ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE])) as [string, string];
      return Number(address[1]);
    }),
  );
  return new Set(ports).size === 1 ? ports[0] : undefined;
}
