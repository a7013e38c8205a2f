// Sorting; without this script every table is complete and in its own order.

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

document.querySelectorAll("table[data-board]").forEach(makeSortable);
