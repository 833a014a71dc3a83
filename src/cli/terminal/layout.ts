import type { Output } from "./output.js";
import { pad, pieces, widthOf, wrap } from "./width.js";

/** Terminals with fewer columns get blocks in place of tables. */
const NARROW = 72;

export function isNarrow({ columns }: Pick<Output, "columns">): boolean {
  return columns < NARROW;
}

/** A text that may have a style, which is put on each of its lines after they are broken. */
export interface Cell {
  readonly text: string;
  readonly style?: ((text: string) => string) | undefined;
}

const plain = (text: string): string => text;

/** A paragraph, indented. */
export function paragraph({ text, style = plain }: Cell, columns: number, indent = ""): string[] {
  return wrap(text, columns - indent.length).map((line) => indent + style(line));
}

/** Lines of a label and a text each. On a narrow terminal the text is below its label. */
export function fields(
  rows: readonly (readonly [label: string, value: Cell])[],
  output: Pick<Output, "columns" | "style">,
): string[] {
  const width = Math.max(...rows.map(([label]) => widthOf(label)));
  return rows.flatMap(([label, value]) => {
    const name = output.style.dim(pad(label, width));
    if (output.columns < 50) return [output.style.dim(label), ...paragraph(value, output.columns, "  ")];
    const [first = "", ...more] = paragraph(value, output.columns - width - 2);
    return [`${name}  ${first}`, ...more.map((line) => " ".repeat(width + 2) + line)];
  });
}

export interface Column {
  readonly title: string;
  readonly width: number;
  readonly align?: "left" | "right";
}

/**
 * A row of a table whose last column takes the rest of the line, and goes on below where that is too little. Widths are fixed,
 * as rows are shown before the next ones are known.
 */
export function tableRow(columns: readonly Column[], cells: readonly Cell[], width: number): string[] {
  const rest = cells[columns.length] ?? { text: "" };
  const head = columns.map(({ width: size, align }, i) => {
    const { text = "", style = plain } = cells[i] ?? {};
    return style(pad(text, size, align === "right" ? "left" : "right"));
  });
  const before = head.join("  ");
  const indent = columns.reduce((sum, column) => sum + column.width + 2, 0);
  const { style = plain } = rest;
  const [first = "", ...more] = pieces(rest.text, Math.max(10, width - indent));
  return [`${before}  ${style(first)}`, ...more.map((line) => " ".repeat(indent) + style(line))];
}
