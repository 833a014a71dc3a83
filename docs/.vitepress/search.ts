import type { DefaultTheme } from "vitepress";

type MiniSearchOptions = NonNullable<DefaultTheme.LocalSearchOptions["miniSearch"]>;

interface Renderer {
  render(markdown: string, env: object): string;
}

/** How many times the words of a page's comment are counted. */
const WEIGHT = 3;

/**
 * The HTML of a page as the search reads it. The words of the comment `<!-- search: … -->` belong to its first section: those
 * that people look for and the page says otherwise, such as "dogpile".
 */
export function searchable(markdown: string, env: object, renderer: Renderer): string {
  const html = renderer.render(markdown, env);
  const [, words] = /<!-- search:([\s\S]*?)-->/.exec(markdown) ?? [];
  return words === undefined ? html : html.replace("</h1>", `</h1>\n<p>${words.repeat(WEIGHT)}</p>`);
}

/**
 * How the index of the search is made and asked. The site takes functions as their text, so that none may use anything
 * outside of itself.
 */
export const miniSearch = {
  options: {
    /** Leaves out the words of a question that say nothing of its subject. */
    processTerm(term) {
      const word = term.toLowerCase();
      const without =
        "a an and are as at be by can do does for from happens how i if in is it my of on or the this to use what when with";
      return without.split(" ").includes(word) ? null : word;
    },
  },
  searchOptions: {
    boost: { title: 6, titles: 3, text: 1 },
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
