import address from "@mermaid-js/tiny/dist/mermaid.tiny.js?url";
import { useData } from "vitepress";
import { defineComponent, h, onMounted, ref, watch } from "vue";

interface Mermaid {
  initialize(options: Readonly<Record<string, unknown>>): void;
  render(id: string, text: string): Promise<{ readonly svg: string }>;
}

declare global {
  interface Window {
    mermaid?: Mermaid;
  }
}

let loading: Promise<Mermaid> | undefined;
let drawn = 0;

/** A diagram of mermaid, drawn when it comes near the window, as the code that draws it is large. */
export const Diagram = defineComponent({
  props: { text: { type: String, required: true } },
  setup(props) {
    const { isDark } = useData();
    const text = decodeURIComponent(props.text);
    const place = ref<HTMLElement>();
    const svg = ref("");
    const draw = async () => {
      loading ??= load();
      const mermaid = await loading;
      mermaid.initialize({
        startOnLoad: false,
        securityLevel: "strict",
        fontFamily: "inherit",
        theme: isDark.value ? "dark" : "neutral",
      });
      drawn += 1;
      svg.value = (await mermaid.render(`diagram-${drawn}`, text)).svg;
    };
    onMounted(() => {
      const observer = new IntersectionObserver(
        (entries) => {
          if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
          observer.disconnect();
          void draw();
          watch(isDark, draw);
        },
        { rootMargin: "400px" },
      );
      if (place.value) observer.observe(place.value);
    });
    return () =>
      svg.value === ""
        ? h("pre", { ref: place, class: "diagram-text", tabindex: 0 }, text)
        : h("div", { class: "diagram", tabindex: 0, role: "img", "aria-label": "Diagram", innerHTML: svg.value });
  },
});

/** Adds the script to the page, as it is no module. */
function load(): Promise<Mermaid> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () =>
      window.mermaid ? resolve(window.mermaid) : reject(new Error(`${address} has not defined mermaid`));
    script.onerror = () => reject(new Error(`${address} can't be loaded`));
    document.head.append(script);
  });
}
