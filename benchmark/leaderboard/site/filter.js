// Filtering the rows of all tables; without this script every table is complete.

const boards = [...document.querySelectorAll("table[data-board]")];
const words = document.getElementById("words");
const selects = [...document.querySelectorAll("select[data-filter]")];
const collator = new Intl.Collator("en", { numeric: true });

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

selects.forEach(fillSelect);
words.addEventListener("input", filter);
selects.forEach((select) => select.addEventListener("change", filter));
document.querySelector("search.filters").hidden = !boards.length;
filter();
