// Rows of one protocol side by side; without this script the tables are only compared by eye.

const bar = document.getElementById("chosen");
const dialog = document.getElementById("comparison");
const boxes = [];

function chosenRows() {
  return boxes.filter((box) => box.checked).map((box) => box.closest("tr"));
}

function tell() {
  const rows = chosenRows();
  bar.hidden = rows.length === 0;
  bar.querySelector("p").textContent =
    rows.length === 1 ? "1 row chosen; tick another one of its protocol" : `${rows.length} rows chosen`;
  bar.querySelector("[data-action=compare]").disabled = rows.length < 2;
}

function addBox(row) {
  const box = document.createElement("input");
  box.type = "checkbox";
  box.setAttribute("aria-label", `Compare ${row.dataset.name}`);
  box.addEventListener("change", () => {
    // Scores under different protocols do not compare.
    const section = row.closest("section");
    boxes.forEach((other) => (other.checked &&= other.closest("section") === section));
    tell();
  });
  boxes.push(box);
  row.cells[0].firstElementChild.prepend(box, " ");
}

function element(tag, content, attributes = {}) {
  const made = document.createElement(tag);
  made.append(...[content].flat());
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  return made;
}

// A cell's content and shade in the table of the comparison.
function copied(cell, best) {
  const made = element("td", [...cell.cloneNode(true).childNodes]);
  made.className = cell.className;
  made.style.cssText = cell.style.cssText;
  made.classList.toggle("best", best);
  made.querySelectorAll("input").forEach((box) => box.remove());
  return made;
}

// The cells of a line that hold its largest number; costs and ranks have no best one.
function bestOf(cells, group) {
  const numbers = cells.map((cell) => (cell ? Number(cell.dataset.number ?? NaN) : NaN));
  const largest = Math.max(...numbers.filter((number) => !Number.isNaN(number)));
  // A recall of few clips is no achievement.
  const counts = (cell) => ["scores", "recall"].includes(group) && !cell?.classList.contains("few");
  return numbers.map((number, k) => counts(cells[k]) && number === largest);
}

function fill(rows) {
  const table = dialog.querySelector("table");
  const board = rows[0].closest("table");
  const names = rows.map((row) => element("th", row.dataset.name, { scope: "col" }));
  const body = document.createElement("tbody");
  const same = [];
  const line = (title, cells, group) => {
    const texts = new Set(cells.map((cell) => cell?.textContent.trim()));
    if (texts.size === 1 && !["scores", "recall", ""].includes(group)) {
      same.push(`${title}: ${[...texts][0]}`);
      return;
    }
    const best = bestOf(cells, group);
    const shown = cells.map((cell, k) => (cell ? copied(cell, best[k]) : element("td", "-")));
    body.append(element("tr", [element("th", title, { scope: "row" }), ...shown]));
  };
  line("Rank, or why there is none", rows.map((row) => row.cells[0]), "");
  for (const group of board.tHead.querySelectorAll("tr.groups th")) {
    const heading = element("th", group.textContent, { scope: "rowgroup", colspan: rows.length + 1 });
    body.append(element("tr", heading, { class: "group" }));
    const first = [...group.parentElement.children].slice(0, group.cellIndex).reduce((sum, cell) => sum + cell.colSpan, 0);
    for (let column = first; column < first + group.colSpan; column += 1) {
      const name = rows[0].cells[column].dataset.column;
      // The method is the heading already.
      if (column > 1) line(name, rows.map((row) => cellFor(row, name)), group.textContent);
    }
    if (body.lastChild === heading.parentElement) body.lastChild.remove();
  }
  table.replaceChildren(element("thead", element("tr", [element("td", ""), ...names])), body);
  dialog.querySelector(".same").textContent = same.length ? `The same for all: ${same.join("; ")}.` : "";
  dialog.querySelector(".verdicts").replaceChildren(...verdicts(rows, board));
}

function cellFor(row, column) {
  return [...row.cells].find((cell) => cell.dataset.column === column);
}

function verdicts(rows, board) {
  const metric = board.querySelector("td.score")?.dataset.column ?? "score";
  const lines = rows.flatMap((one, k) => rows.slice(k + 1).map((other) => verdict(one, other, metric)));
  return lines.map((text) => element("li", text));
}

function verdict(one, other, metric) {
  const known = JSON.parse(one.dataset.verdicts ?? "{}")[other.dataset.id];
  const names = `${one.dataset.name} and ${other.dataset.name}`;
  if (!known) return `${names}: were not compared, because they are not in one ranking.`;
  const [value, low, high, p] = known;
  const signed = (number) => (number > 0 ? "+" : "") + number.toFixed(2);
  const size = `${metric} ${signed(value)} [${signed(low)}, ${signed(high)}] points, p ${p < 0.001 ? "< 0.001" : `= ${p}`}`;
  if (p >= 0.05) return `${names}: not told apart (${size}).`;
  const [better, worse] = value > 0 ? [one, other] : [other, one];
  return `${better.dataset.name} is better than ${worse.dataset.name} (first minus second: ${size}).`;
}

// A page without rows has nothing to compare.
if (dialog) {
  document.querySelectorAll("table[data-compare] tbody tr").forEach(addBox);
  bar.querySelector("[data-action=compare]").addEventListener("click", () => {
    fill(chosenRows());
    dialog.showModal();
  });
  bar.querySelector("[data-action=clear]").addEventListener("click", () => {
    boxes.forEach((box) => (box.checked = false));
    tell();
  });
}
