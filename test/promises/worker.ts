import { type Part, playPart } from "./round.ts";

/** A process with one cache, which plays what it is told to. */
process.on("message", (part: Part) => {
  playPart(part).then(
    (log) => process.send?.(log),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
// However the process that gives the parts ends, this one ends with it.
process.once("disconnect", () => process.exit());
process.send?.("ready");
