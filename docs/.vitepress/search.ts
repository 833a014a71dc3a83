import type { DefaultTheme } from "vitepress";

type MiniSearchOptions = NonNullable<DefaultTheme.LocalSearchOptions["miniSearch"]>;

interface Renderer {
  render(markdown: string, env: object): string;
}

/**
 * The HTML of a page as the search reads it. The words of the comment `<!-- search: … -->` belong to its first section: those
 * that people look for and the page says otherwise, such as "dogpile".
 */
export function searchable(markdown: string, env: object, renderer: Renderer): string {
  const html = renderer.render(markdown, env);
  const [, words] = /<!-- search:([\s\S]*?)-->/.exec(markdown) ?? [];
  return words === undefined ? html : html.replace("</h1>", `</h1>\n<p>⁂${words}⁂</p>`);
}

/** How the index is made. A constant of its own, as the theme's types have no `fields`, which it passes on. */
const options = {
  fields: ["title", "titles", "words", "text"],
  /** The field `words` is what `searchable` puts between marks. */
  extractField(document: Readonly<Record<string, string | undefined>>, field: string) {
    return field === "words" ? (document.text?.split("⁂")[1] ?? "") : document[field];
  },
  /** Leaves out the words of a question that say nothing of its subject. */
  processTerm(term: string) {
    const word = term.toLowerCase();
    const without =
      "a an and are as at be by can do does for from happens how i if in is it my not of on or the this to use what when with";
    return without.split(" ").includes(word) ? null : word;
  },
};

/**
 * How the index of the search is made and asked. The site takes functions as their text, so that none may use anything
 * outside of itself.
 */
export const miniSearch = {
  options,
  searchOptions: {
    boost: { title: 6, titles: 3, words: 6, text: 1 },
    prefix: true,
    fuzzy: 0.2,
    /** The beginning of a page counts more than its other sections; what is looked up counts less than what is read. */
    boostDocument(id, _term, stored) {
      const isLookedUp = /^\/?(?:[^/]+\/)?(?:reference|project|decisions)\//.test(String(id));
      const isFirst = Array.isArray(stored?.titles) && stored.titles.length === 0;
      return (isLookedUp ? 0.4 : 1) * (isFirst ? 1.6 : 1);
    },
  },
} satisfies MiniSearchOptions;
