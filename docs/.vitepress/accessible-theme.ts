import type { Plugin } from "vite";

/** A change of one of the theme's components. */
interface Change {
  readonly component: string;
  readonly from: RegExp;
  readonly to: string;
}

/** What axe finds in the default theme, and what is there instead. */
const CHANGES: readonly Change[] = [
  // The group around the caret is the button: a button in a button has no use of its own.
  {
    component: "VPSidebarItem",
    from: /role="button"\s+aria-label="toggle section"\s+@click="onCaretClick"\s+@keydown\.enter="onCaretClick"\s+tabindex="0"/,
    to: 'aria-hidden="true" @click="onCaretClick"',
  },
  // Its label says "Search", and so its text may say no more. The style has the key.
  {
    component: "VPNavBarSearchButton",
    from: /<kbd class="DocSearch-Button-Key">K<\/kbd>/,
    to: '<kbd class="DocSearch-Button-Key" data-key="K"></kbd>',
  },
  // The home page has no landmark around its content.
  { component: "VPHome", from: /<div(\s+class="VPHome")/, to: '<div role="main"$1' },
];

/** Changes the theme's components as they are compiled, and fails where a new version of it has another text. */
export function accessibleTheme(): Plugin {
  return {
    name: "accessible-theme",
    enforce: "pre",
    transform(code, id) {
      const changes = CHANGES.filter(({ component }) => id.endsWith(`/theme-default/components/${component}.vue`));
      if (changes.length === 0) return undefined;
      return changes.reduce((text, { component, from, to }) => {
        if (!from.test(text))
          this.error(`${component}.vue has changed; look at it again, and change accessible-theme.ts`);
        return text.replace(from, to);
      }, code);
    },
  };
}
