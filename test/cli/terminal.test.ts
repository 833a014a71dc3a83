import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Secrets } from "../../src/cli/secrets.js";
import { fields, tableRow } from "../../src/cli/terminal/layout.js";
import { Output } from "../../src/cli/terminal/output.js";
import { printable, printableLines, safeJson } from "../../src/cli/terminal/printable.js";
import { ProgressView } from "../../src/cli/terminal/progress.js";
import { hasColors, styleOf } from "../../src/cli/terminal/style.js";
import { bytes, counted, duration, percent } from "../../src/cli/terminal/units.js";
import { cut, pad, pieces, widthOf, wrap } from "../../src/cli/terminal/width.js";

/** Texts that are difficult to measure. */
const HOSTILE = [
  "日本語のキー",
  "e\u0301e\u0301",
  "👩‍👩‍👧‍👦 family",
  "🇨🇭 flag",
  "한국어",
  "ｆｕｌｌ",
  "a\u200db",
  "नमस्ते",
  "x".repeat(200),
  "👍🏽",
];

describe("the width of text", () => {
  it.each([
    ["abc", 3],
    ["", 0],
    ["日本語", 6],
    ["ｆｕ", 4],
    ["한국", 4],
    ["e\u0301", 1],
    ["\u200b", 0],
    ["🎉", 2],
    ["👩‍👩‍👧‍👦", 2],
    ["👍🏽", 2],
    ["🇨🇭", 2],
    ["❤\ufe0f", 2],
    ["©", 1],
    ["é", 1],
    ["\x1b[31mred\x1b[39m", 3],
  ])("of %j is %i", (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  it("is never exceeded by wrapped lines, which have all of the text", () => {
    for (const text of HOSTILE) {
      for (const width of [2, 3, 7, 40]) {
        const whole = `${text} ${text} end`;
        for (const line of wrap(whole, width)) expect(widthOf(line), JSON.stringify(line)).toBeLessThanOrEqual(width);
        expect(wrap(whole, width).join("").replaceAll(" ", "")).toBe(whole.replaceAll(" ", ""));
        expect(pieces(text, width).join("")).toBe(text);
      }
    }
  });

  it("is kept by texts that are cut and padded", () => {
    for (const text of HOSTILE) {
      expect(widthOf(cut(text, 5))).toBeLessThanOrEqual(5);
      expect(widthOf(pad(text, 10))).toBe(Math.max(10, widthOf(text)));
    }
    expect(cut("abcdef", 4)).toBe("abc…");
    expect(cut("abcd", 4)).toBe("abcd");
  });

  it("keeps the indent of a line's beginning", () => {
    expect(wrap("  one two three", 9)).toEqual(["  one two", "three"]);
  });
});

describe("text from elsewhere", () => {
  it("reaches no terminal with control characters, separators of lines or changes of direction", () => {
    const all = Array.from({ length: 0x2100 }, (_, code) => String.fromCharCode(code)).join("");
    const shown = printable(all) + safeJson(all);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be gone
    expect(shown).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f]/);
    expect(JSON.parse(safeJson(all))).toBe(all);
  });

  it("shows what was there instead", () => {
    expect(printable("a\x1b[2J\x07\n\t\u202e\u009b\ud800")).toBe("a\\x1b[2J\\x07\\n\\t\\u202e\\x9b\\ud800");
    expect(printable("日本 👩‍👩‍👧‍👦 é")).toBe("日本 👩‍👩‍👧‍👦 é");
    expect(printableLines("a\r\n\tb\x1b")).toEqual(["a", "  b\\x1b"]);
  });
});

describe("colours", () => {
  it.each([
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "0" }, true, false],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, false, true],
    [{ TERM: "dumb" }, true, false],
  ])("under %j, on a terminal: %s, are shown: %s", (env, isTerminal, expected) => {
    expect(hasColors(env, isTerminal)).toBe(expected);
  });
});

describe("figures", () => {
  it("are short", () => {
    expect([0, 512, 1_536, 5_242_880, 1e12].map(bytes)).toEqual(["0 B", "512 B", "1.5 KiB", "5.0 MiB", "931 GiB"]);
    const times = [0, 0.25, 12, 1_500, 59_600, 252_000, 3_600_000, 90_061_000, -5_000];
    const shown = ["0ms", "0.3ms", "12ms", "1.5s", "1m", "4m 12s", "1h", "1d 1h", "-5s"];
    expect(times.map(duration)).toEqual(shown);
    expect([counted(1, "key"), counted(2_000, "key"), counted(0, "entry", "entries")]).toEqual([
      "1 key",
      "2,000 keys",
      "0 entries",
    ]);
    expect([percent(39, 40), percent(0, 0)]).toEqual(["97.5 %", "-"]);
  });
});

describe("tables and fields", () => {
  it("fit every width with every text", () => {
    for (const text of HOSTILE) {
      for (const columns of [40, 60, 100]) {
        const output = { columns, style: styleOf(false) };
        const row = tableRow([{ title: "A", width: 8 }], [{ text: "fresh" }, { text }], columns);
        const lines = [
          ...row,
          ...fields(
            [
              ["label", { text }],
              ["longer label", { text: `${text} ${text}` }],
            ],
            output,
          ),
        ];
        for (const line of lines) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
      }
    }
  });
});

describe("the progress of long work", () => {
  const progress = { scanned: 1_000, total: 2_000, matched: 500, bytes: 1_024 };
  const watched = (isTTY: boolean) => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const texts: string[] = [];
    const write = (text: string, done?: () => void) => {
      texts.push(text);
      done?.();
      return true;
    };
    const view = new ProgressView(new Output({ isTTY, columns: 100, write }, {}), "Deleting", "deleted");
    return { texts, view };
  };
  const LINE = "Deleting 50 %, 500 deleted (1.0 KiB), 1,000 keys of 2,000, 200/s, 5s left";

  afterEach(() => void vi.useRealTimers());

  it("is a line every five seconds where there is no terminal", () => {
    const { texts, view } = watched(false);
    vi.advanceTimersByTime(4_999);
    view.update(progress);
    expect(texts).toEqual([]);
    vi.advanceTimersByTime(1);
    view.update(progress);
    view.update(progress);
    view.clear();
    expect(texts).toEqual([`${LINE}\n`]);
  });

  it("is a bar on a terminal, drawn over at most ten times a second, and gone at the end", () => {
    const { texts, view } = watched(true);
    vi.advanceTimersByTime(5_000);
    for (let i = 0; i < 10; i++) view.update(progress);
    view.clear();
    expect(texts.map(stripVTControlCharacters)).toEqual([`\r======------  ${LINE}`, "\r"]);
  });
});

describe("passwords", () => {
  it("are hidden in every form that a message may have", () => {
    const secrets = new Secrets(["tok/en+1"]);
    secrets.addUrls("valkey://ann:p%40ss%2Fword@host:6379,valkey://ann:other%21@host2");
    const forms = ["p%40ss%2Fword", "p@ss/word", "other!", "other%21", "tok/en+1", "tok%2Fen%2B1"];
    for (const form of forms) expect(secrets.hide(`it was ${form} then`)).toBe("it was (hidden) then");
  });

  it("are hidden in URLs and options that are not known", () => {
    const { hide } = new Secrets();
    const secrets = new Secrets();
    expect(hide.call(secrets, "at valkey://a:b@c@host:1 and redis://:x@h")).toBe(
      "at valkey://(hidden)@host:1 and redis://(hidden)@h",
    );
    expect(secrets.hide("unknown option '--password=hunter2'")).toBe("unknown option '--password'");
  });
});
