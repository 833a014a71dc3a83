import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { failedLoad, TRANSITIONS } from "../../../src/client/herd/state.js";
import { root } from "../../support/project.js";

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly event: string;
}

const arrows: readonly Arrow[] = Object.entries(TRANSITIONS).flatMap(([from, events]) =>
  Object.entries(events).map(([event, to]) => ({ from, to, event })),
);

/** The arrows of the state diagram in docs/herd.md, without those from and to `[*]`. */
function documented(): { arrows: Arrow[]; starts: string[]; ends: string[] } {
  const doc = readFileSync(join(root, "docs/herd.md"), "utf8");
  const [, diagram = ""] = /```mermaid\nstateDiagram-v2\n(.*?)```/s.exec(doc) ?? [];
  const lines = [...diagram.matchAll(/^ *(\S+) --> (\S+?)(?:: (.+))?$/gm)];
  return {
    arrows: lines.flatMap(([, from = "", to = "", event]) => (event === undefined ? [] : [{ from, to, event }])),
    starts: lines.flatMap(([, from, to = ""]) => (from === "[*]" ? [to] : [])),
    ends: lines.flatMap(([, from = "", to]) => (to === "[*]" ? [from] : [])),
  };
}

const sorted = (all: readonly Arrow[]) => all.map(({ from, event, to }) => `${from} --> ${to}: ${event}`).sort();

describe("the state machine of a key", () => {
  it("has exactly the transitions of the diagram in docs/herd.md", () => {
    expect(sorted(arrows)).toEqual(sorted(documented().arrows));
    expect(documented()).toMatchObject({ starts: ["Lookup"], ends: ["Answered", "Failed"] });
  });

  it("reaches every state from the lookup, and an end from every state", () => {
    const reach = (start: string, step: (from: string) => string[]): Set<string> => {
      const found = new Set([start]);
      for (const state of found) for (const other of step(state)) found.add(other);
      return found;
    };
    const forward = reach("Lookup", (state) => arrows.flatMap(({ from, to }) => (from === state ? [to] : [])));
    expect([...forward].sort()).toEqual([...Object.keys(TRANSITIONS), "Answered", "Failed"].sort());
    const backward = reach("Answered", (state) => arrows.flatMap(({ from, to }) => (to === state ? [from] : [])));
    expect([...backward].sort()).toEqual([...Object.keys(TRANSITIONS), "Answered"].sort());
  });

  it("looks a key up again at most three times after its lease was lost, and not after its callers have left", () => {
    const lost = { isLost: true, isAborted: false };
    expect([0, 1, 2, 3].map((restarts) => failedLoad({ ...lost, restarts }))).toEqual([
      "fenced",
      "fenced",
      "fenced",
      "failed",
    ]);
    expect(failedLoad({ ...lost, isLost: false, restarts: 0 })).toBe("failed");
    expect(failedLoad({ ...lost, isAborted: true, restarts: 0 })).toBe("failed");
  });
});
