import { diagnose } from "../../inspect/doctor.js";
import type { Finding } from "../../inspect/port.js";
import { EXIT } from "../exit-codes.js";
import type { Run } from "../io.js";
import { paragraph } from "../terminal/layout.js";
import type { Output } from "../terminal/output.js";
import { printable, safeJson } from "../terminal/printable.js";
import type { Style } from "../terminal/style.js";
import { counted } from "../terminal/units.js";
import { pad, wrap } from "../terminal/width.js";

export const doctor: Run = async ({ cache, out, json, secrets, signal }) => {
  let shown: Promise<void> = Promise.resolve();
  const show = (finding: Finding): void => {
    shown = shown.then(() => out.lines(...findingLines(hidden(finding), out)));
    // The command fails when it waits for the last one.
    shown.catch(() => {});
  };
  const hidden = (finding: Finding): Finding => {
    const [found, meaning, remedy] = [finding.found, finding.meaning, finding.remedy].map((text) => secrets.hide(text));
    return { ...finding, found: found ?? "", meaning: meaning ?? "", remedy: remedy ?? "" };
  };
  const findings = (await diagnose(cache, json ? { signal } : { signal, onFinding: show })).map(hidden);
  await shown;
  const count = (level: Finding["level"]): number => findings.filter((finding) => finding.level === level).length;
  const [problems, warnings] = [count("problem"), count("warning")];
  if (json) await out.lines(safeJson({ problems, warnings, findings }));
  else {
    const summary = `${counted(problems, "problem")}, ${counted(warnings, "warning")}, ${counted(findings.length, "check")}`;
    const style = problems > 0 ? out.style.red : warnings > 0 ? out.style.yellow : out.style.green;
    await out.lines("", ...wrap(summary, out.columns).map(style));
  }
  return problems > 0 ? EXIT.problem : EXIT.ok;
};

/** As long as the longest level. */
const LEVEL_WIDTH = 7;

function findingLines({ check, level, found, meaning, remedy }: Finding, out: Output): string[] {
  const { style, columns } = out;
  const color = levelStyle(level, style);
  const indent = columns < 50 ? "  " : " ".repeat(LEVEL_WIDTH + 2);
  const name = `${color(pad(level, LEVEL_WIDTH))}  ${style.bold(printable(check))}`;
  const isFine = level === "ok";
  return [
    name,
    ...paragraph({ text: printable(found) }, columns, indent),
    // What is fine needs no explanation on a terminal; --json has it.
    ...(isFine || meaning === "" ? [] : paragraph({ text: printable(meaning), style: style.dim }, columns, indent)),
    ...(remedy === ""
      ? []
      : paragraph({ text: `-> ${printable(remedy)}`, style: isFine ? style.dim : color }, columns, indent)),
  ];
}

function levelStyle(level: Finding["level"], style: Style): (text: string) => string {
  const colors: Readonly<Record<Finding["level"], (text: string) => string>> = {
    ok: style.green,
    note: style.blue,
    warning: style.yellow,
    problem: style.red,
    skipped: style.dim,
  };
  return colors[level];
}
