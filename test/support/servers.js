import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.js";
import { launch } from "./launch.js";
import { freePort, HOST } from "./ports.js";
import { until } from "./wait.js";
const TRIES = 5;
/** A valkey-server of its own on a free port, keeping nothing on disk. Ready when this resolves. */
export async function startValkey(options = {}) {
    const { args = [] } = options;
    const folder = await mkdtemp(join(tmpdir(), "valkey-"));
    const clear = () => rm(folder, { recursive: true, force: true });
    let { port, running } = await startOnFreePort(args, folder).catch(async (error) => {
        await clear();
        throw error;
    });
    const stop = async () => {
        await running.stop();
        await clear();
    };
    return {
        host: HOST,
        port,
        url: `valkey://${HOST}:${port}`,
        get pid() {
            return running.pid;
        },
        stop,
        kill: (signal) => running.kill(signal),
        async restart() {
            await running.stop();
            running = await startOn(port, args, folder);
        },
        [Symbol.asyncDispose]: stop,
    };
}
async function startOnFreePort(args, folder) {
    for (let tries = 1;; tries += 1) {
        const port = await freePort();
        try {
            return { port, running: await startOn(port, args, folder) };
        }
        catch (error) {
            // Somebody else was faster at this port.
            if (tries === TRIES || !/Address already in use/.test(String(error)))
                throw error;
        }
    }
}
async function startOn(port, args, folder) {
    const settings = ["--port", String(port), "--bind", HOST, "--dir", folder, "--save", "", "--appendonly", "no"];
    const running = await launch("valkey-server", [...settings, ...args], folder);
    await until(async () => running.ended || (await answers(port)), {
        what: `valkey-server on port ${port}`,
        everyMs: 5,
    });
    if (running.ended)
        throw new Error(`valkey-server ended while starting: ${running.log()}`);
    return running;
}
/** Also a server that wants a password first is there. */
async function answers(port) {
    const reply = await command(port, ["PING"]).catch((error) => error);
    return reply === "PONG" || /NOAUTH/.test(String(reply));
}
