"use strict";
// The filter of the matrix. What it is set to lives in the address after "#", so that a link can be sent.
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const fields = [...form.elements].filter((field) => field.name);
  const targets = form.elements.target ? [...form.elements.target.options].slice(1).map((option) => option.value) : [];
  const groups = [...document.querySelectorAll("#requirements tbody")].map((body) => ({
    body,
    patch: body.dataset.patch,
    rows: [...body.querySelectorAll("tr:not(.patch)")].map((row) => ({
      row,
      text: row.querySelector("th").textContent.toLowerCase(),
      cells: [...row.querySelectorAll("td")].map((cell) => cell.dataset.is.split(" ")),
      differs: "differs" in row.dataset,
    })),
  }));
  const total = groups.reduce((sum, group) => sum + group.rows.length, 0);

  const asked = () => {
    const given = {};
    for (const field of fields) {
      given[field.name] = field.type === "checkbox" ? (field.checked ? "1" : "") : field.value.trim();
    }
    return given;
  };

  const show = () => {
    const want = asked();
    const words = want.text.toLowerCase().split(/\s+/).filter(Boolean);
    const column = want.target ? targets.indexOf(want.target) : -1;
    let count = 0;
    for (const group of groups) {
      const here = !want.patch || want.patch === group.patch;
      let some = false;
      for (const one of group.rows) {
        const cells = column < 0 ? one.cells : [one.cells[column]];
        const fits =
          here &&
          (!want.differs || one.differs) &&
          (!want.verdict || cells.some((cell) => cell.includes(want.verdict))) &&
          words.every((word) => one.text.includes(word));
        one.row.hidden = !fits;
        some = some || fits;
        count += fits ? 1 : 0;
      }
      group.body.hidden = !some;
    }
    form.elements.count.value = `${count} of ${total} requirements`;
    document.getElementById("nothing").hidden = count > 0;
  };

  // Only a fragment of name=value pairs is a filter; any other one is a place in the page.
  const take = () => {
    const fragment = location.hash.slice(1);
    if (fragment && !fragment.includes("=")) return;
    const given = new URLSearchParams(fragment);
    for (const field of fields) {
      const value = given.get(field.name) || "";
      if (field.type === "checkbox") field.checked = value === "1";
      else field.value = value;
      if (field.selectedIndex === -1) field.selectedIndex = 0;
    }
    show();
  };

  const tell = () => {
    const given = new URLSearchParams(Object.entries(asked()).filter(([, value]) => value));
    const fragment = given.toString();
    history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
    show();
  };

  // A place in a group that is filtered out must be there before it can be jumped to.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#patch-"]');
    if (link) {
      form.reset();
      show();
    }
  });
  form.addEventListener("input", tell);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(tell));
  window.addEventListener("hashchange", take);
  form.hidden = false;
  take();
})();
