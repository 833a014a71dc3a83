/** Letters that Unicode does not take apart into a base letter and a mark, as people write them without it. */
const WITHOUT_MARKS = {
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  ð: "d",
  đ: "d",
  ł: "l",
  ħ: "h",
  ı: "i",
  ŋ: "n",
  ŧ: "t",
  þ: "th",
  ə: "e",
  ς: "σ",
};
const LETTERS = new RegExp(`[${Object.keys(WITHOUT_MARKS).join("")}]`, "gu");
/**
 * A name as it is compared: without case, diacritics and apostrophes, all else that is no letter or digit as one space.
 * Works on many lines at once and keeps them apart.
 */
export function fold(text) {
  return text
    .normalize("NFD")
    .replace(/[\p{M}'’‘‛`´ʹʻʼʽ]+/gu, "")
    .toLowerCase()
    .replace(LETTERS, (letter) => WITHOUT_MARKS[letter] ?? letter)
    .replace(/[^\p{L}\p{N}\n]+/gu, " ")
    .replace(/^ +| +$/gm, "");
}
