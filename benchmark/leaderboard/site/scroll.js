// Says which columns of a table lie outside of what is seen; without this script they can be scrolled to all the same.

function hiddenColumns(box) {
  const right = box.getBoundingClientRect().right;
  const headers = box.querySelectorAll("thead tr:last-child th");
  return [...headers].filter((header) => header.getBoundingClientRect().right > right + 1);
}

function titleOf(header) {
  const own = header.querySelector("button") ?? header;
  return [...own.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data.trim()).join("");
}

function watchScrolling(box) {
  const hint = document.createElement("p");
  hint.className = "more";
  // Readers of the page's text have the whole table.
  hint.setAttribute("aria-hidden", "true");
  box.before(hint);
  const update = () => {
    const fits = box.scrollWidth <= box.clientWidth + 1;
    const titles = hiddenColumns(box).map(titleOf).filter(Boolean);
    hint.hidden = fits;
    box.classList.toggle("goes-on", titles.length > 0);
    const few = titles.length > 3 ? `${titles.slice(0, 3).join(", ")} …` : titles.join(", ");
    hint.textContent = titles.length
      ? `${titles.length} more column${titles.length === 1 ? "" : "s"} to the right: ${few} →`
      : "← scroll back to the first columns";
  };
  box.addEventListener("scroll", update, { passive: true });
  new ResizeObserver(update).observe(box);
  update();
}

document.querySelectorAll(".scroll").forEach(watchScrolling);
