import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Figures } from "./fault.js";

/** Writes what was measured where `npm run faults` collects it; elsewhere nobody asks for it. */
export async function keepFigures(figures: Figures): Promise<void> {
  const folder = process.env.FAULT_FIGURES;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  const file = `${figures.name.replaceAll(/\W+/g, "-")}.json`;
  await writeFile(
    join(folder, file),
    JSON.stringify({ order: performance.timeOrigin + performance.now(), ...figures }),
  );
}
