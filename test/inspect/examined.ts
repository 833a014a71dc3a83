import { expect } from "vitest";
import type { Cache } from "../../src/index.js";
import { diagnose } from "../../src/inspect/doctor.js";
import type { Finding } from "../../src/inspect/port.js";

/** What the doctor finds, which always says what it means and what to do. */
export async function examined(cache: Cache): Promise<readonly Finding[]> {
  const findings = await diagnose(cache);
  for (const one of findings) {
    expect(one.found, `${one.check} says what was found`).not.toBe("");
    if (one.level !== "skipped") expect(one.meaning, `${one.check} says what it means`).not.toBe("");
    if (one.level === "problem" || one.level === "warning") {
      expect(one.remedy, `${one.check}: ${one.found}`).not.toBe("");
    }
  }
  return findings;
}

/** The finding of a check. @throws where it is missing */
export function finding(findings: readonly Finding[], check: string): Finding {
  const found = findings.find((one) => one.check === check);
  if (!found) throw new Error(`no finding ${check} among ${findings.map((one) => one.check).join(", ")}`);
  return found;
}

/** What is found of how busy this machine is: no test decides that. */
const OF_THE_MACHINE: readonly string[] = ["event-loop", "latency"];

/** The findings of a level, as lines. */
export function linesOf(findings: readonly Finding[], ...levels: readonly Finding["level"][]): string[] {
  const shown = findings.filter(({ check, level }) => levels.includes(level) && !OF_THE_MACHINE.includes(check));
  return shown.map(({ check, found }) => `${check}: ${found}`);
}
