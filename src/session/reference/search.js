"use strict";
// Shows the names that fit what is typed, best first. Everything is in the page already; without this script all of it is shown.
(() => {
  const field = document.getElementById("the-words");
  const count = document.getElementById("the-count");
  const list = document.getElementById("the-names");
  const rows = Array.from(list.children, (row, place) => ({
    row, place, name: row.dataset.name.toLowerCase(), text: row.textContent.toLowerCase(),
  }));
  const others = document.querySelectorAll(".modules");

  // 0: the name itself, 1: how it begins, 2: part of it, 3: elsewhere in the row, 4: not at all.
  function rank(item, words) {
    if (words.length === 1) {
      const [module, name] = words[0].includes(".") ? words[0].split(/\.(?=[^.]*$)/) : ["", words[0]];
      if (item.text.includes(module)) {
        if (item.name === name) return 0;
        if (item.name.startsWith(name)) return 1;
        if (item.name.includes(name)) return 2;
      }
    }
    return words.every((word) => item.text.includes(word)) ? 3 : 4;
  }

  function search() {
    const words = field.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    for (const other of others) other.hidden = words.length > 0;
    for (const item of rows) {
      item.rank = words.length === 0 ? 0 : rank(item, words);
      item.row.hidden = item.rank === 4;
    }
    const order = Array.from(rows).sort((a, b) => a.rank - b.rank || a.place - b.place);
    for (const item of order) list.append(item.row);
    const found = rows.filter((item) => item.rank < 4).length;
    count.textContent = words.length === 0 ? "" : found === 1 ? "1 name" : `${found} names`;
  }

  document.getElementById("the-search").hidden = false;
  field.addEventListener("input", search);
  field.addEventListener("keydown", (event) => {
    const first = list.querySelector("li:not([hidden]) a");
    if (event.key === "Enter" && field.value.trim() !== "" && first) first.click();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== field) {
      event.preventDefault();
      field.focus();
    }
  });
  const asked = new URLSearchParams(location.search).get("q");
  if (asked) field.value = asked;
  search();
})();
