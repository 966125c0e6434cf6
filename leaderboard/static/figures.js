// Draws the figures of a page from the specifications that stand in it, as they come into sight.
// Vega is loaded from the site's own files, once; its expressions are interpreted, not compiled.
(() => {
  "use strict";
  const html = document.documentElement;
  const root = /^(\.\.\/)*$/.test(html.dataset.root || "") ? html.dataset.root || "" : "";
  const loading = new Map();
  const drawn = new Map(); // canvas -> specification and view

  // Loads a script of the site; gives a promise.
  function load(path) {
    if (!/^[\w-]+(\/[\w-]+)*\.js$/.test(path)) return Promise.reject(new Error(path));
    if (!loading.has(path)) {
      loading.set(path, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = root + path;
        script.onload = resolve;
        script.onerror = () => reject(new Error(`cannot load ${path}`));
        document.head.append(script);
      }));
    }
    return loading.get(path);
  }

  // Puts colours in the place of their names, such as "--ink"; data are left alone.
  function coloured(part, style) {
    if (Array.isArray(part)) return part.map((inner) => coloured(inner, style));
    if (part && typeof part === "object") {
      return Object.fromEntries(Object.entries(part).map(([name, inner]) =>
        [name, name === "data" || name === "datasets" ? inner : coloured(inner, style)]));
    }
    const named = typeof part === "string" && part.startsWith("--");
    return (named && style.getPropertyValue(part).trim()) || part;
  }

  function render(canvas, spec) {
    const style = getComputedStyle(html);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return window.vegaEmbed(canvas, coloured(spec, style), {
      mode: "vega-lite", ast: true, renderer: "svg", actions: false,
      tooltip: { theme: dark ? "dark" : "light" },
    }).then((result) => {
      drawn.get(canvas)?.view?.finalize();
      drawn.set(canvas, { spec, view: result.view });
      // The canvas says in words what it shows; its marks one by one would say nothing.
      canvas.querySelector("svg")?.setAttribute("aria-hidden", "true");
      canvas.dataset.drawn = "yes";
    });
  }

  // Draws a figure by its name: what stands in the page, or another specification.
  function draw(name, spec) {
    const canvas = document.querySelector(`[data-figure="${CSS.escape(name)}"]`);
    const source = document.getElementById(`spec-${name}`);
    if (!canvas || !source) return Promise.resolve();
    const wanted = spec || JSON.parse(source.textContent);
    drawn.set(canvas, drawn.get(canvas) || {});
    return load("assets/vega.js").then(() => render(canvas, wanted)).catch((error) => {
      canvas.classList.remove("empty"); // its words and its table are there
      console.error(error);
    });
  }

  const waiting = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      waiting.unobserve(target);
      draw(target.dataset.figure);
    }
  }, { rootMargin: "600px" });

  for (const canvas of document.querySelectorAll("[data-figure]")) {
    canvas.classList.add("empty"); // keeps a place, so that what is below does not jump
    waiting.observe(canvas);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const [canvas, { spec }] of drawn) if (spec) render(canvas, spec);
  });
  addEventListener("beforeprint", () => {
    for (const canvas of document.querySelectorAll("[data-figure]")) {
      if (!drawn.has(canvas)) draw(canvas.dataset.figure);
    }
  });
  window.benchcast = { ...window.benchcast, load, draw };
})();
