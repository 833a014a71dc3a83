import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.js";
import { launch } from "./launch.js";
import { freePort, HOST } from "./ports.js";
import { startValkey } from "./servers.js";
import { until } from "./wait.js";
const SERVICE = "primary";
const DOWN_AFTER_MS = 500;
/** One primary with replicas, and sentinels that watch over them. When this resolves, all know of all. */
export async function startSentinels(options = {}) {
    const primary = await startValkey();
    const replicas = await Promise.all(Array.from({ length: options.replicas ?? 1 }, () => startReplica(primary)));
    const seats = await Promise.all(Array.from({ length: options.sentinels ?? 3 }, newSeat));
    const folder = await mkdtemp(join(tmpdir(), "sentinel-"));
    const running = await Promise.all(seats.map((seat) => startSentinel(seat, { seats, primary, replicas, folder })));
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
            kill: (signal) => running[i].kill(signal),
        })),
        primary,
        replicas,
        primaryPort,
        async failover() {
            const before = await until(primaryPort, { what: "the sentinels to agree on a primary" });
            const [first] = seats;
            await until(() => command(first.port, ["SENTINEL", "FAILOVER", SERVICE]), { what: "a failover to begin" });
            const isDone = async () => ((await primaryPort()) ?? before) !== before;
            await until(isDone, { what: "the sentinels to agree on another primary", timeoutMs: 15_000 });
        },
        stop,
        [Symbol.asyncDispose]: stop,
    };
}
function startReplica(primary) {
    return startValkey({ args: ["--replicaof", `${HOST} ${primary.port}`, "--repl-diskless-sync-delay", "0"] });
}
async function newSeat() {
    return { id: randomBytes(20).toString("hex"), port: await freePort() };
}
/** It is told about the others, which it would find out by itself, but slowly. */
async function startSentinel(seat, { seats, primary, replicas, folder }) {
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
        `sentinel down-after-milliseconds ${SERVICE} ${DOWN_AFTER_MS}`,
        `sentinel failover-timeout ${SERVICE} 5000`,
        ...replicas.map(({ port }) => `sentinel known-replica ${SERVICE} ${HOST} ${port}`),
        ...others.map(({ id, port }) => `sentinel known-sentinel ${SERVICE} ${HOST} ${port} ${id}`),
    ];
    await writeFile(file, `${lines.join("\n")}\n`);
    return await launch("valkey-sentinel", [file], own);
}
async function allKnowAll(seats, replicas) {
    const answers = await Promise.all(seats.map(async ({ port }) => {
        const usable = String(await command(port, ["SENTINEL", "CKQUORUM", SERVICE]));
        const known = (await command(port, ["SENTINEL", "REPLICAS", SERVICE]));
        const areUp = known.every((fields) => fields[fields.indexOf("flags") + 1] === "slave");
        return usable.startsWith(`OK ${seats.length} `) && known.length === replicas && areUp;
    }));
    return answers.every(Boolean);
}
async function agreedPrimary(seats) {
    const ports = await Promise.all(seats.map(async ({ port }) => {
        const address = (await command(port, ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]));
        return Number(address[1]);
    }));
    return new Set(ports).size === 1 ? ports[0] : undefined;
}
