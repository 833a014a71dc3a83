#!/usr/bin/env node
import { Console } from "node:console";
import { Interrupted, ReaderGone } from "./exit-codes.js";
import { main } from "./main.js";
import { restoreTerminal } from "./terminal/screen.js";

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
/** Signals within this time count as one: on Ctrl-C the terminal sends one and npx may forward another. */
const SAME_SIGNAL_MS = 500;

const controller = new AbortController();
let signalledMs = Number.NEGATIVE_INFINITY;

function end(code: number): never {
  restoreTerminal();
  process.exit(code);
}

for (const [signal, code] of Object.entries(SIGNALS)) {
  process.on(signal, () => {
    const nowMs = performance.now();
    if (controller.signal.aborted && nowMs - signalledMs > SAME_SIGNAL_MS) end(code);
    if (!controller.signal.aborted) signalledMs = nowMs;
    controller.abort(new Interrupted(code));
  });
}

// Also after an error that nothing has caught.
process.on("exit", restoreTerminal);

// Standard output has results only. What the module of --config logs, and the library's warnings, go to standard error.
globalThis.console = new Console({ stdout: process.stderr, stderr: process.stderr });

// A pipe whose reader has left: the scan ends. Without a listener the error would end the process with a stack trace.
process.stdout.on("error", () => controller.abort(new ReaderGone("the reader of the output has ended")));
process.stderr.on("error", () => {});

const { stdin, stdout, stderr, env } = process;
const code = await main(process.argv.slice(2), { stdin, stdout, stderr, env, signal: controller.signal });
// What is still to be written to a pipe. The process ends then, whatever the module of --config has left open.
await new Promise<void>((resolve) => stdout.write("", () => resolve()));
await new Promise<void>((resolve) => stderr.write("", () => resolve()));
end(code);
