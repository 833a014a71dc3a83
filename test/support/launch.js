import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { until } from "./wait.js";
/** How long a process may take to end when asked, in milliseconds. */
const GRACE_MS = 2_000;
/** Starts a program that works in `folder`. It ends with this process at the latest, however that one ends. */
export async function launch(program, args, folder) {
    const logFile = join(folder, "log");
    // A file, not a pipe: a program never waits for a reader that is busy.
    const output = openSync(logFile, "a");
    const child = spawn(program, args, { cwd: folder, stdio: ["ignore", output, output] });
    closeSync(output);
    await once(child, "spawn");
    const pid = child.pid;
    child.unref();
    const watchdog = watch(pid, folder);
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    child.once("exit", () => dismiss(watchdog));
    const ending = (timeoutMs) => until(hasEnded, { what: `${program} (${pid}) to end`, timeoutMs, everyMs: 2 });
    return {
        pid,
        get ended() {
            return hasEnded();
        },
        log: () => readFileSync(logFile, "utf8"),
        async stop() {
            child.kill("SIGTERM");
            // A stopped process ends only when it goes on.
            child.kill("SIGCONT");
            await ending(GRACE_MS).catch(() => child.kill("SIGKILL"));
            await ending(GRACE_MS);
        },
        async kill(signal) {
            child.kill(signal);
            if (signal !== "SIGSTOP" && signal !== "SIGCONT")
                await ending(GRACE_MS);
        },
    };
}
/** Waits for this process to end, by any means (its end of the pipe closes then), and clears up after it. */
function watch(pid, folder) {
    const script = `cat; kill -9 ${pid}; rm -rf "$1"`;
    const watchdog = spawn("sh", ["-c", script, "watchdog", folder], {
        stdio: ["pipe", "ignore", "ignore"],
        detached: true,
    });
    watchdog.unref();
    if (watchdog.stdin instanceof Socket)
        watchdog.stdin.unref();
    return watchdog;
}
function dismiss(watchdog) {
    // Its whole group: the shell, and the `cat` that it waits for.
    if (watchdog.pid !== undefined)
        process.kill(-watchdog.pid, "SIGKILL");
}
