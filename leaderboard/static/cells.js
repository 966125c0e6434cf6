// Lets a reader choose whose losses the heat map and its table show; the choice stands in the address.
(() => {
  "use strict";
  const source = document.getElementById("heat-data");
  if (!source) return;
  const all = JSON.parse(source.textContent);
  const figure = document.getElementById("spec-heat");
  const spec = JSON.parse(figure?.textContent ?? "null");
  const unit = 10 ** all.digits;
  const names = ["predictor", "k", "show"];
  const choice = Object.fromEntries(names.map((name) => [name, document.getElementById(`choose-${name}`)]));
  const first = Object.fromEntries(names.map((name) => [name, choice[name].value]));
  const cells = [...document.querySelectorAll("data[data-c]")];
  const what = document.getElementById("what");
  const rule = what.textContent.slice(0, what.textContent.indexOf(" of "));
  let seen = names.map((name) => first[name]).join("\n");
  let ready = false; // until then, the page's own script draws what stands in the page

  const text = (value, signed) => {
    const digits = Math.abs(value).toFixed(all.digits);
    const sign = Number(digits) === 0 ? "" : value < 0 ? "−" : signed ? "+" : "";
    return sign + digits;
  };

  function show() {
    const { predictor, k, show: which } = Object.fromEntries(names.map((name) => [name, choice[name].value]));
    const now = [predictor, k, which].join("\n");
    if (now === seen) return;
    seen = now;
    const at = choice.k.selectedIndex;
    const losses = all.loss[choice.predictor.selectedIndex][at];
    const base = all.reference === null ? null : all.loss[all.reference][at];
    const less = (c) => (base === null || losses[c] === null || base[c] === null ? null : losses[c] - base[c]);
    const of = which === "difference" ? less : (c) => losses[c];
    for (const cell of cells) {
      const value = of(Number(cell.dataset.c));
      cell.value = value === null ? "nan" : String(value / unit);
      cell.textContent = value === null ? "–" : text(value / unit, which === "difference");
    }
    what.textContent = `${rule} of ${predictor}${which === "difference" ? ` less ${all.predictors[all.reference]}’s` : ""} at k = ${k}`;
    const summary = document.getElementById("summary-heat");
    summary.textContent = `Mean ${what.textContent}, models × scenarios; the hardest for all predictors stand first.`;
    if (!spec) return;
    const values = spec.data.values.map((row, c) => ({
      ...row,
      loss: losses[c] === null ? null : losses[c] / unit,
      difference: less(c) === null ? null : less(c) / unit,
    })).filter((row) => row[which] !== null);
    const color = all.colours[which];
    const most = Math.max(...values.map((row) => Math.abs(row[which]))) || 1;
    const scale = which === "difference" ? { ...color.scale, domain: [-most, most] } : color.scale;
    const encoding = { ...spec.encoding, color: { ...color, scale } };
    const wanted = { ...spec, data: { values }, encoding };
    if (ready) window.benchcast.draw("heat", wanted); else figure.textContent = JSON.stringify(wanted);
  }

  // The address is read by the page's other scripts too: what is not ours is kept.
  const read = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

  function restore() {
    const given = read();
    for (const name of names) {
      choice[name].value = given.get(name) ?? first[name];
      if (choice[name].selectedIndex < 0) choice[name].value = first[name]; // nothing of that name
    }
    show();
  }

  for (const name of names) {
    choice[name].addEventListener("change", () => {
      const given = read();
      if (choice[name].value === first[name]) given.delete(name); else given.set(name, choice[name].value);
      location.hash = given.toString();
      show();
    });
  }
  addEventListener("hashchange", restore);
  document.querySelector(".choices").hidden = false;
  restore();
  ready = true;
})();
