import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { type BarChart, toSvg, toText } from "../../bench/harness/bar-chart.js";
import { bin, output, root } from "../support/project.js";

/** A copy of what the figures are made from, and of the documents that have them. */
function copied(): string {
  const folder = mkdtempSync(join(tmpdir(), "figures-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const filter = (path: string) => !path.includes("node_modules");
  for (const name of ["bench", "docs", "README.md", "package.json"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true, filter });
  }
  return folder;
}

const check = (folder: string) => output(join(bin, "node"), [join(folder, "bench", "report.ts"), "--check"]);

it("the figures and charts of the documentation are those that bench/report.ts makes from bench/results", async () => {
  await expect(check(root)).resolves.toBe("");
});

it("a changed figure, a changed result and a missing chart are found", async () => {
  const folder = copied();
  await expect(check(folder)).resolves.toBe("");
  const changed = (path: string, from: string | RegExp, to: string) => {
    const file = join(folder, path);
    const before = readFileSync(file, "utf8");
    writeFileSync(file, before.replace(from, to));
    expect(readFileSync(file, "utf8"), path).not.toBe(before);
    return () => writeFileSync(file, before);
  };

  const restore = changed("docs/benchmarks.md", "plain ioredis 2.00", "plain ioredis 1.00");
  await expect(check(folder)).rejects.toThrow("docs/benchmarks.md does not say what bench/results says");
  restore();

  const restoreResult = changed("bench/results/herd.json", /"loads": 8\b/, '"loads": 7');
  await expect(check(folder)).rejects.toThrow("docs/benchmarks/herd-loads.svg does not say what bench/results says");
  restoreResult();

  rmSync(join(folder, "docs", "benchmarks", "near.svg"));
  await expect(check(folder)).rejects.toThrow("docs/benchmarks/near.svg does not say what bench/results says");
});

it("each chart is on the page of the benchmarks, with its figures as text", () => {
  const page = readFileSync(join(root, "docs", "benchmarks.md"), "utf8");
  for (const file of readdirSync(join(root, "docs", "benchmarks"))) {
    const picture = readFileSync(join(root, "docs", "benchmarks", file), "utf8");
    const [, text = ""] = /<desc id="desc">(.*)<\/desc>/.exec(picture) ?? [];
    expect(text, file).toMatch(/\d/);
    expect(page, file).toContain(`![${text}](benchmarks/${file})`);
  }
});

const chart: BarChart = {
  title: "Reads & writes",
  measure: "calls/s",
  groups: [
    {
      name: "one caller",
      bars: [
        { name: "here", value: 50 },
        { name: "<there>", value: 100 },
      ],
    },
  ],
  ours: /^here/,
  format: String,
};

it("a chart draws bars in proportion from zero, marks this library's, and escapes names", () => {
  const svg = toSvg(chart);
  const [ours = 0, other = 0] = ["ours", "other"].map((kind) =>
    Number(new RegExp(`<rect class="${kind}".* width="([\\d.]+)"`).exec(svg)?.[1]),
  );
  expect(ours).toBeGreaterThan(0);
  expect(other / ours).toBeCloseTo(2, 1);
  expect(svg).toContain("&lt;there&gt;");
  expect(svg).toContain('<title id="title">Reads &amp; writes</title>');
  expect(svg).toContain("prefers-color-scheme:dark");
});

it("a chart's text says its title, its unit and the value of each bar", () => {
  expect(toText(chart)).toBe("Reads & writes; calls/s. one caller: here 50, <there> 100.");
});
