// Tables are sorted by a click on a heading and filtered by words; figures follow light and dark.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const { figures, themes } = JSON.parse(document.getElementById("figures").textContent);

const draw = () => Promise.all(Object.entries(figures).map(([name, spec]) => vegaEmbed(
  document.getElementById(name), narrowed(spec),
  { actions: false, renderer: "svg", config: dark.matches ? themes.dark : themes.light },
)));

// On a phone legends stand below each other, and long labels give way to the bars.
function narrowed(spec) {
  if (innerWidth > 560) return spec;
  const slim = structuredClone(spec);
  slim.config = { legend: { columns: 1, labelLimit: 280 }, axis: { labelLimit: 110 } };
  const y = slim.encoding?.y;
  if (y?.axis) y.axis.labelLimit = 118;
  return slim;
}

const value = (cell) => {
  const number = parseFloat(cell.textContent);
  return Number.isNaN(number) ? cell.textContent : number;
};

function sort(table, heading) {
  const column = heading.cellIndex;
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const order = (a, b) => {
    const [left, right] = [value(a.cells[column]), value(b.cells[column])];
    if (typeof left !== typeof right) return typeof left === "number" ? -1 : 1;
    const found = typeof left === "number" ? left - right : left.localeCompare(right);
    return up ? found : -found;
  };
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort(order));
}

function filter(table, words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !wanted.every((word) => text.includes(word));
  }
}

for (const table of document.querySelectorAll("table")) {
  for (const heading of table.tHead.rows[0].cells) {
    heading.querySelector("button").addEventListener("click", () => sort(table, heading));
  }
}
for (const input of document.querySelectorAll(".tools input")) {
  const table = document.getElementById(input.dataset.table);
  input.addEventListener("input", () => filter(table, input.value));
}
const drawn = () => draw().then(() => { document.body.dataset.drawn = "yes"; });
dark.addEventListener("change", drawn);
drawn();
