/** Bars that are compared with each other, under a heading of their own. */
export interface BarGroup {
  readonly name: string;
  readonly bars: readonly { readonly name: string; readonly value: number }[];
}

export interface BarChart {
  readonly title: string;
  /** What the bars count, with its unit. */
  readonly measure: string;
  readonly groups: readonly BarGroup[];
  /** Names of bars that are this library's: they have the accent colour. */
  readonly ours: RegExp;
  readonly format: (value: number) => string;
}

const WIDTH = 720;
const PADDING = 16;
const ROW = 22;
const BAR = 14;
const HEADING = 30;
/** Of a character at 13 px in a wide, bold sans-serif font, as the text is not measured. */
const CHARACTER = 8.4;

/**
 * Horizontal bars with their values as text, from zero on one linear scale. The picture has a background of its own, and
 * follows the reader's colour scheme where the page doesn't set one, so its text is readable on any page.
 */
export function toSvg(chart: BarChart): string {
  const { title, measure, groups, ours, format } = chart;
  const bars = groups.flatMap((group) => group.bars);
  const labels = PADDING + Math.ceil(CHARACTER * Math.max(...bars.map(({ name }) => name.length)));
  const values = CHARACTER * Math.max(...bars.map(({ value }) => format(value).length));
  const scale = (WIDTH - labels - values - 3 * PADDING) / Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const lines: string[] = [];
  let y = 58;
  for (const group of groups) {
    if (group.name !== "") {
      lines.push(`<text class="group" x="${PADDING}" y="${y + 18}">${escaped(group.name)}</text>`);
      y += HEADING;
    }
    for (const { name, value } of group.bars) {
      const kind = ours.test(name) ? "ours" : "other";
      const width = Math.max(1, value * scale);
      const middle = y + BAR / 2 + 4.5;
      lines.push(
        `<text class="${kind}" x="${labels}" y="${middle}" text-anchor="end">${escaped(name)}</text>`,
        `<rect class="${kind}" x="${labels + 8}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`,
        `<text x="${(labels + 16 + width).toFixed(1)}" y="${middle}">${escaped(format(value))}</text>`,
      );
      y += ROW;
    }
  }
  const height = y + PADDING / 2;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13">
<title id="title">${escaped(title)}</title>
<desc id="desc">${escaped(toText(chart))}</desc>
<style>
.card{fill:#fff;stroke:#d0d7de}text{fill:#1f2328}.measure{fill:#59636e}.title{font-size:15px;font-weight:600}.group,text.ours{font-weight:600}rect.ours{fill:#0969da}rect.other{fill:#8c959f}
@media (prefers-color-scheme:dark){.card{fill:#161b22;stroke:#3d444d}text{fill:#e6edf3}.measure{fill:#9198a1}rect.ours{fill:#4493f8}rect.other{fill:#6e7681}}
</style>
<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
<text class="title" x="${PADDING}" y="26">${escaped(title)}</text>
<text class="measure" x="${PADDING}" y="45">${escaped(measure)}</text>
${lines.join("\n")}
</svg>
`;
}

/** All that the picture shows, as text: its alternative where it isn't seen. */
export function toText({ title, measure, groups, format }: BarChart): string {
  const of = ({ name, bars }: BarGroup): string => {
    const list = bars.map((bar) => `${bar.name} ${format(bar.value)}`).join(", ");
    return name === "" ? list : `${name}: ${list}`;
  };
  return `${title}; ${measure}. ${groups.map(of).join("; ")}.`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
