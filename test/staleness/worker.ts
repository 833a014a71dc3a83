import { type Part, playPart } from "./round.ts";

/** What a process is told to do. */
export type Order =
  | { readonly play: Part }
  /** Nothing else of the process runs for so long. */
  | { readonly blockMs: number }
  /** How far its wall clock is off. */
  | { readonly clockMs: number };

const realDateNow = Date.now.bind(Date);

process.on("message", (order: Order) => {
  if ("blockMs" in order) {
    const endMs = performance.now() + order.blockMs;
    while (performance.now() < endMs);
  } else if ("clockMs" in order) Date.now = () => realDateNow() + order.clockMs;
  else {
    playPart(order.play).then(
      (played) => process.send?.(played),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  }
});
// However the process that gives the orders ends, this one ends with it.
process.once("disconnect", () => process.exit());
process.send?.("ready");
