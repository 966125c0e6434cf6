// Lets a reader sort tables, filter predictors, and share what is seen: the chosen number of shown
// responses, the sorting and the filter stand in the address, after "#". Without it nothing is lost.
(() => {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const radios = all('input[name="k"]');
  const panel = document.querySelector(".filters");
  const filters = panel ? all("[data-filter]", panel) : [];
  const filtered = all("tr[data-predictor]");
  const SORT = "sort."; // begins the names of the tables' parts of the state
  const first = radios.find((radio) => radio.defaultChecked)?.value;

  // -- the state: what the controls say, and the same in the address ------------------------------

  const state = new URLSearchParams();

  // An address may also name a place of the page (#methods): that is no state.
  const inAddress = () => {
    const hash = location.hash.slice(1);
    return hash === "" || hash.includes("=") ? new URLSearchParams(hash) : null;
  };

  // Other scripts of a page may have written to the address too: what they wrote is kept.
  function adopt() {
    const given = inAddress();
    if (!given) return;
    for (const name of [...state.keys()]) state.delete(name);
    for (const [name, value] of given) state.set(name, value);
  }

  function set(changes, typing = false) {
    adopt();
    for (const [name, value] of Object.entries(changes)) {
      if (value) state.set(name, value); else state.delete(name);
    }
    const text = state.toString();
    const address = text ? `#${text}` : location.pathname + location.search;
    if (typing) history.replaceState(null, "", address); else history.pushState(null, "", address);
    show();
  }

  function restore() {
    adopt();
    show();
  }

  function show() {
    const k = radios.find((radio) => radio.value === state.get("k"))?.value ?? first;
    for (const radio of radios) radio.checked = radio.value === k;
    for (const link of all("a[data-keep]")) link.hash = k && k !== first ? `k=${k}` : "";
    for (const control of filters) {
      const value = state.get(control.dataset.filter) ?? "";
      if (control !== document.activeElement || control.value.trim() !== value) {
        control.value = value;
      }
      // a choice that is not there chooses nothing
      if (control.value === "" && control.options) control.selectedIndex = 0;
    }
    filter();
    for (const [table, sorting] of tables) sorting(state.get(SORT + place(table)));
  }

  // -- filter -------------------------------------------------------------------------------------

  function filter() {
    if (!panel) return;
    const wanted = Object.fromEntries(filters.map((f) => [f.dataset.filter, f.value.trim()]));
    const words = wanted.q.toLowerCase().split(/\s+/);
    const kept = new Set();
    const names = new Set();
    for (const row of filtered) {
      const { predictor, kind, isolation } = row.dataset;
      const fits = words.every((word) => predictor.toLowerCase().includes(word))
        && (!wanted.kind || wanted.kind === kind)
        && (!wanted.isolation || wanted.isolation === isolation);
      row.hidden = !fits;
      names.add(predictor);
      if (fits) kept.add(predictor);
    }
    const some = kept.size < names.size;
    panel.querySelector("output").textContent = some
      ? `${kept.size} of ${names.size} predictors; ranks are among all`
      : `${names.size} predictors`;
    panel.querySelector("button").disabled = !some;
  }

  // -- sorting ------------------------------------------------------------------------------------

  const tables = new Map(); // table -> what sorts it
  const place = (table) => table.closest("section")?.id ?? "";
  const order = new Intl.Collator("en", { numeric: true });

  // The text of a cell without its small print; the address names a column by its heading's.
  function label(cell) {
    const copy = cell.cloneNode(true);
    all("small", copy).forEach((element) => element.remove());
    return copy.textContent.trim();
  }

  // What a cell is sorted by: its number, else its text; null where it has neither.
  function key(cell) {
    const data = cell.querySelector("data");
    const text = data ? data.value : label(cell);
    if (text === "" || text === "–" || text.toLowerCase() === "nan") return null;
    const number = Number(text.replace(/[,%\s]/g, "").replace("−", "-"));
    return Number.isNaN(number) ? text : number;
  }

  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null); // last, either way
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * order.compare(a, b);
  }


  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const labels = heads.map(label).map((text, i, texts) => {
      const before = texts.slice(0, i).filter((other) => other === text).length;
      return before ? `${text} ${before + 1}` : text;
    });
    const body = table.tBodies[0];
    const rows = [...body.rows];
    heads.forEach((head, i) => {
      if (!labels[i]) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      const apart = head.querySelector("a") !== null; // a button must not hold a link
      if (apart) button.setAttribute("aria-label", `sort by ${labels[i]}`);
      else button.append(...head.childNodes);
      button.classList.toggle("apart", apart);
      button.title = "sort by this column";
      head.prepend(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: "" }[head.getAttribute("aria-sort")] ?? "ascending";
        set({ [SORT + place(table)]: next && `${labels[i]},${next}` });
      });
    });
    tables.set(table, (wanted) => {
      const comma = (wanted ?? "").lastIndexOf(",");
      const column = comma < 0 ? -1 : labels.indexOf(wanted.slice(0, comma));
      const way = column < 0 ? "" : wanted.slice(comma + 1);
      const sign = { ascending: 1, descending: -1 }[way];
      heads.forEach((head, i) => {
        if (sign && i === column) head.setAttribute("aria-sort", way); else head.removeAttribute("aria-sort");
      });
      let ordered = rows;
      if (sign) {
        const keys = new Map(rows.map((row) => [row, key(row.cells[column])]));
        ordered = [...rows].sort((a, b) => compare(keys.get(a), keys.get(b), sign));
      }
      if (ordered.some((row, i) => row !== body.rows[i])) body.append(...ordered);
    });
  }

  for (const table of all("table:not([data-plain])")) {
    const width = table.tHead?.rows.length === 1 ? table.tHead.rows[0].cells.length : 0;
    const rows = table.tBodies.length === 1 ? [...table.tBodies[0].rows] : [];
    if (width && rows.length > 1 && rows.every((row) => row.cells.length === width)) sortable(table);
  }

  // -- what the reader does -----------------------------------------------------------------------

  for (const radio of radios) {
    radio.addEventListener("change", () => set({ k: radio.value === first ? "" : radio.value }));
  }
  for (const control of filters) {
    const typed = control.tagName === "INPUT";
    control.addEventListener(typed ? "input" : "change", () =>
      set({ [control.dataset.filter]: control.value.trim() }, typed));
  }
  panel?.querySelector("button").addEventListener("click", () => {
    set(Object.fromEntries(filters.map((control) => [control.dataset.filter, ""])));
  });
  if (panel) panel.hidden = false;
  addEventListener("popstate", restore);
  addEventListener("hashchange", restore);
  if (inAddress()?.toString()) restore(); else show();
  document.documentElement.dataset.ready = "yes";
})();
