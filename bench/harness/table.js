/** The table in Markdown, aligned so that it reads well in a terminal: text to the left, numbers to the right. */
export function toMarkdown({ columns, rows }) {
    const isNumeric = columns.map((_column, i) => rows.every((row) => /^[\d.,–—× -]*$/.test(row[i] ?? "")));
    const widths = columns.map((column, i) => Math.max(3, column.length, ...rows.map((row) => (row[i] ?? "").length)));
    const line = (cells) => `| ${cells.map((cell, i) => (isNumeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join(" | ")} |`;
    const rule = widths.map((width, i) => (isNumeric[i] ? `${"-".repeat(width + 1)}:` : "-".repeat(width + 2)));
    return [line(columns), `|${rule.join("|")}|`, ...rows.map(line)].join("\n");
}
/** `12,345` */
export function count(value) {
    return Math.round(value).toLocaleString("en-US");
}
