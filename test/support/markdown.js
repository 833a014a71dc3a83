const BLOCK = /(?:^<!-- before:(?<before>(?:(?!-->)[\s\S])*)-->\n+)?^```(?<language>[^\s`]*)[^\n]*\n(?<code>[\s\S]*?)^```$/gm;
export function blocksOf(markdown) {
    return [...markdown.matchAll(BLOCK)].map(({ 0: text, index, groups: { before = "", language = "", code = "" } = {} }) => {
        const fence = index + text.indexOf("```");
        return { language, code, line: markdown.slice(0, fence).split("\n").length, before: before.trim() };
    });
}
