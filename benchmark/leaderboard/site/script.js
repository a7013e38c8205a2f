// Sorting and filtering; without this script every table is complete and in its own order.

const boards = [...document.querySelectorAll("table[data-board]")];
const words = document.getElementById("words");
const selects = [...document.querySelectorAll("select[data-filter]")];
const collator = new Intl.Collator("en", { numeric: true });

function makeSortable(table) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const headers = [...table.tHead.querySelectorAll("tr.columns th")];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const direction = nextDirection(header, original, column);
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      // From the page's own order, so that equal rows keep it.
      body.append(...[...original].sort((a, b) => compare(a.cells[column], b.cells[column], sign)));
    });
  });
}

// The first click shows what one looks for: the largest number, the first word, the first rank.
function nextDirection(header, rows, column) {
  const current = header.getAttribute("aria-sort");
  if (current) return current === "ascending" ? "descending" : "ascending";
  const first = rows[0].cells[column];
  const numbers = rows.some((row) => row.cells[column].dataset.number !== undefined);
  return numbers && !first.classList.contains("rank") ? "descending" : "ascending";
}

// Cells without a number come last, whichever the direction.
function compare(a, b, sign) {
  const [x, y] = [a.dataset.number, b.dataset.number];
  if (x !== undefined && y !== undefined) return sign * (Number(x) - Number(y));
  if (x !== undefined || y !== undefined) return x === undefined ? 1 : -1;
  return sign * collator.compare(a.textContent, b.textContent);
}

function cellOf(row, column) {
  return [...row.cells].find((cell) => cell.dataset.column === column)?.textContent;
}

function fillSelect(select) {
  const values = boards.flatMap((table) => [...table.tBodies[0].rows].map((row) => cellOf(row, select.dataset.filter)));
  const distinct = [...new Set(values.filter((value) => value !== undefined))].sort(collator.compare);
  select.append(...distinct.map((value) => new Option(value, value)));
}

function filter() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let total = 0;
  for (const table of boards) {
    let left = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      // Quoted tables have none of these columns, and stay.
      const chosen = selects.every((select) => {
        return !select.value || [undefined, select.value].includes(cellOf(row, select.dataset.filter));
      });
      row.hidden = !(chosen && wanted.every((word) => text.includes(word)));
      left += !row.hidden;
      total += 1;
    }
    const part = table.closest("[data-part]");
    part.hidden = !left;
    if (left && wanted.length && part.tagName === "DETAILS") part.open = true;
    shown += left;
  }
  for (const section of document.querySelectorAll("[data-section]")) {
    section.hidden = !section.querySelector("[data-part]:not([hidden])");
  }
  document.getElementById("count").textContent = `${shown} of ${total} rows`;
}

boards.forEach(makeSortable);
selects.forEach(fillSelect);
words.addEventListener("input", filter);
selects.forEach((select) => select.addEventListener("change", filter));
document.querySelector("search.filters").hidden = !boards.length;
filter();
