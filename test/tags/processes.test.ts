import { expect, it } from "vitest";
import { eventsOf, wronglyAnswered, wronglyMissing } from "./history.ts";
import { type Kind, Round } from "./round.ts";

/** With a number of seconds in the environment it runs longer, and every kind. */
const SECONDS = Number(process.env.ROUNDS_SECONDS ?? 10);
const IS_LONG = process.env.ROUNDS_SECONDS !== undefined;
const SEED = Number(process.env.ROUNDS_SEED ?? Math.floor(Math.random() * 1e9));

const KINDS: readonly Kind[] = (["standalone", "cluster", "sentinel"] as const).flatMap((topology) =>
  (["default", "herd"] as const).flatMap((client) => [false, true].map((isNear) => ({ topology, client, isNear }))),
);
/** All of a single server, and one of each other topology, as failovers take their time. */
const PLAYED = KINDS.filter(({ topology }, i) => IS_LONG || topology === "standalone" || i % 4 === SEED % 4);

it.each(PLAYED.map((kind) => [nameOf(kind), kind] as const))(
  "processes whose clocks are hours apart return nothing that was purged, and lose nothing else: %s",
  async (_name, kind) => {
    await using round = await Round.open(kind, SEED);
    const history = await round.play((SECONDS * 1_000) / PLAYED.length);
    expect(wronglyAnswered(history).slice(0, 5), `seed ${SEED}`).toEqual([]);
    expect(wronglyMissing(history).slice(0, 5), `seed ${SEED}`).toEqual([]);
    // Enough has happened for that to mean something.
    const answered = eventsOf(history, "read").filter(([, { found, isLoaded }]) => found && !isLoaded);
    for (const method of ["stored", "load", "http"]) {
      expect(answered.filter(([, read]) => read.method === method).length, method).toBeGreaterThan(20);
    }
    expect(eventsOf(history, "purge").length).toBeGreaterThan(10);
    expect(history.losses.some(({ hadLog }) => hadLog)).toBe(true);
  },
  (SECONDS + 120) * 1_000,
);

function nameOf({ topology, client, isNear }: Kind): string {
  return `${topology}, client ${client}, ${isNear ? "a near cache" : "no near cache"}`;
}
