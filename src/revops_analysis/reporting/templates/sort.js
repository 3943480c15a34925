"use strict";
for (const table of document.querySelectorAll("table.rv-sortable")) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(head.firstChild);
    head.prepend(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      const numeric = head.classList.contains("rv-number");
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = Array.from(body.rows).map((row) => [row.cells[column].dataset.order, row]);
      rows.sort(([a], [b]) => {
        if (a === "" || b === "") return (a === "") - (b === "");
        const order = numeric ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0;
        return rising ? order : -order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
if (window.innerWidth < 1240) {
  document.querySelectorAll(".rv-contents").forEach((contents) => contents.removeAttribute("open"));
}
