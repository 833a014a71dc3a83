import { setTimeout as wait } from "node:timers/promises";
import { EXIT, Exit } from "../exit-codes.js";
import type { Context, Run } from "../io.js";
import { printable, safeJson } from "../terminal/printable.js";
import { enterScreen, frame, restoreTerminal } from "../terminal/screen.js";
import { Sampler, type TopSample } from "../top/sampler.js";
import { sampleLine, viewLines } from "../top/view.js";

/** Processes look whether they are watched every three seconds, and report from the next second on. */
const FIRST_REPORT_MS = 5_000;

/** The codes of q, Q, Ctrl-C and Ctrl-D: a terminal in raw mode makes no signals of them. */
const QUIT: readonly number[] = [0x71, 0x51, 3, 4];

export const top: Run = async (context) => {
  const { cache, io, out, options, json, signal } = context;
  const isLive = out.isTerminal && io.stdin.isTTY === true && !json && !options.flag("once");
  const quit = new AbortController();
  const ending = AbortSignal.any([signal, quit.signal]);
  const sampler = new Sampler(cache, ending);
  try {
    if (options.flag("once")) return await once(context, sampler, ending);
    const leave = isLive ? openScreen(context, quit) : () => {};
    try {
      const intervalMs = (options.number("interval") ?? 1) * 1_000;
      for (;;) {
        const sample = hidden(await sampler.take(), context);
        await (isLive ? draw(sample, context) : out.lines(json ? safeJson(sample) : sampleLine(sample)));
        await pause(intervalMs, ending);
        if (quit.signal.aborted) return EXIT.ok;
        signal.throwIfAborted();
      }
    } finally {
      leave();
    }
  } finally {
    // Ends the watch of the fleet.
    quit.abort();
  }
};

/** One sample, once there are rates, and processes have had the time to report. */
async function once(context: Context, sampler: Sampler, ending: AbortSignal): Promise<number> {
  const { out, json, signal } = context;
  await sampler.take();
  const startMs = performance.now();
  do {
    await pause(1_000, ending);
    signal.throwIfAborted();
  } while (!sampler.hasFleet && performance.now() - startMs < FIRST_REPORT_MS);
  const sample = hidden(await sampler.take(), context);
  if (!sample.server) throw new Exit(EXIT.failed, sample.error ?? "the server doesn't say how it is");
  if (json) await out.lines(safeJson(sample));
  else await out.lines(...(out.isTerminal ? viewLines(sample, place(context), out) : [sampleLine(sample)]));
  return EXIT.ok;
}

function hidden(sample: TopSample, { secrets }: Context): TopSample {
  return sample.error === undefined ? sample : { ...sample, error: secrets.hide(sample.error) };
}

async function draw(sample: TopSample, context: Context): Promise<void> {
  const { out } = context;
  const lines = viewLines(sample, place(context), out);
  const shown = lines.slice(0, out.rows - 1);
  await out.text(frame([...shown, out.style.dim("q quits")], out.rows));
}

/** Which cache and which server. */
function place({ cache }: Context): string {
  const { prefix, version, events } = cache.parts.settings;
  const { server } = events.source;
  const address = server ? [server.address, server.port].filter((part) => part !== undefined).join(":") : "in memory";
  return printable(
    `valkey-edge-cache top  ${address}  ${prefix === "" ? "no prefix" : `prefix ${prefix}`}, version ${version}`,
  );
}

/** Shows the alternate screen, and listens for the keys that quit. @returns a function that puts the terminal back */
function openScreen({ io }: Context, quit: AbortController): () => void {
  const { stdin } = io;
  const onKey = (key: Buffer): void => {
    if (QUIT.some((code) => key.includes(code))) quit.abort();
  };
  enterScreen();
  stdin.setRawMode(true);
  stdin.on("data", onKey);
  stdin.resume();
  return () => {
    stdin.off("data", onKey);
    stdin.pause();
    restoreTerminal();
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {});
}
