import type { Finding } from "../../../inspect/port.js";
import type { HealthAnswer } from "../../api.js";
import { getJson } from "../backend.js";
import { fill, h } from "../dom.js";
import { counted } from "../format.js";
import { badge, button, failure, heading } from "../parts.js";
import { data } from "../text.js";
import type { Context, View } from "../view.js";

/** The worst first. */
const LEVELS: readonly { readonly level: Finding["level"]; readonly title: string; readonly tone: string }[] = [
  { level: "problem", title: "Problem", tone: "bad" },
  { level: "warning", title: "Warning", tone: "warn" },
  { level: "note", title: "Note", tone: "info" },
  { level: "ok", title: "Good", tone: "good" },
  { level: "skipped", title: "Skipped", tone: "idle" },
];

export function healthView(context: Context): View {
  const controller = new AbortController();
  const body = h("div", { class: "stack" });
  const read = async () => {
    again.disabled = true;
    fill(body, h("p", { class: "loading" }, "Checking the server, its memory, its permissions and its clock…"));
    try {
      const findings = await getJson<HealthAnswer>("api/health", controller.signal);
      const summary = summaryOf(findings);
      fill(
        body,
        h("p", { class: "verdict", "data-tone": worstTone(findings) }, summary),
        ...sorted(findings).map(findingOf),
      );
      context.announce(summary);
    } catch (error) {
      if (controller.signal.aborted) return;
      fill(body, failure(error instanceof Error ? error.message : String(error)));
    }
    again.disabled = false;
  };
  const again = button("Check again", () => void read());
  const element = h("div", { class: "stack" }, heading("Health", again), body);
  void read();
  return {
    title: "Health",
    element,
    update: () => undefined,
    end: () => controller.abort(),
    refresh: () => void read(),
  };
}

function sorted(findings: readonly Finding[]): Finding[] {
  return LEVELS.flatMap(({ level }) => findings.filter((finding) => finding.level === level));
}

function worstTone(findings: readonly Finding[]): string {
  return LEVELS.find(({ level }) => findings.some((finding) => finding.level === level))?.tone ?? "idle";
}

function summaryOf(findings: readonly Finding[]): string {
  const number = (level: Finding["level"]) => findings.filter((finding) => finding.level === level).length;
  const problems = number("problem");
  const warnings = number("warning");
  if (problems + warnings === 0) return `${counted(findings.length, "check")}, and nothing to do.`;
  return `${counted(findings.length, "check")}: ${counted(problems, "problem")} and ${counted(warnings, "warning")}.`;
}

function findingOf({ check, level, found, meaning, remedy }: Finding): HTMLElement {
  const { title, tone } = LEVELS.find((known) => known.level === level) ?? { title: level, tone: "idle" };
  return h(
    "section",
    { class: "card finding", "data-tone": tone },
    h("h2", {}, badge(title, tone), " ", data(check)),
    h("p", { class: "summary" }, data(found, { maxLength: 2_000 })),
    meaning !== "" && h("p", { class: "muted" }, data(meaning, { maxLength: 2_000 })),
    remedy !== "" && h("p", { class: "hint" }, data(remedy, { maxLength: 2_000 })),
  );
}
