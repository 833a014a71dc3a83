import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { until } from "./wait.js";

/** Time that a process has to end after SIGTERM, in milliseconds. */
const GRACE_MS = 2_000;

export interface Running {
  readonly pid: number;
  readonly ended: boolean;
  /** Its output so far. */
  log(): string;
  /** Ends it with SIGTERM, then with SIGKILL. */
  stop(): Promise<void>;
  /** Sends a signal. Waits for the end if the signal ends the process. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Starts a program in `folder`. It ends with this process at the latest, even when this process is killed. */
export async function launch(program: string, args: readonly string[], folder: string): Promise<Running> {
  const logFile = join(folder, "log");
  // A file instead of a pipe, so that the program never waits for a busy reader.
  const output = openSync(logFile, "a");
  const child = spawn(program, args, { cwd: folder, stdio: ["ignore", output, output] });
  closeSync(output);
  await once(child, "spawn");
  const pid = child.pid as number;
  child.unref();
  const watchdog = watch(pid, folder);
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  child.once("exit", () => dismiss(watchdog));
  const ending = (timeoutMs: number) => until(hasEnded, { what: `${program} (${pid}) to end`, timeoutMs, everyMs: 2 });
  return {
    pid,
    get ended() {
      return hasEnded();
    },
    log: () => readFileSync(logFile, "utf8"),
    async stop() {
      child.kill("SIGTERM");
      // A stopped process handles SIGTERM only after SIGCONT.
      child.kill("SIGCONT");
      await ending(GRACE_MS).catch(() => child.kill("SIGKILL"));
      await ending(GRACE_MS);
    },
    async kill(signal) {
      child.kill(signal);
      if (signal !== "SIGSTOP" && signal !== "SIGCONT") await ending(GRACE_MS);
    },
  };
}

/** Waits for the end of this process, which closes its end of the pipe, and then cleans up. */
function watch(pid: number, folder: string): ChildProcess {
  const script = `cat; kill -9 ${pid}; rm -rf "$1"`;
  const watchdog = spawn("sh", ["-c", script, "watchdog", folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watchdog.unref();
  if (watchdog.stdin instanceof Socket) watchdog.stdin.unref();
  return watchdog;
}

function dismiss(watchdog: ChildProcess): void {
  // The whole process group: the shell and the `cat` that it waits for.
  if (watchdog.pid !== undefined) process.kill(-watchdog.pid, "SIGKILL");
}
