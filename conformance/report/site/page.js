"use strict";
// Copy buttons. From disk, or in an old browser, there may be no clipboard to write to: then by selection.
(() => {
  const said = document.getElementById("copied");

  const bySelection = (code) => {
    const range = document.createRange();
    range.selectNodeContents(code);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  };

  const copy = async (code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      return true;
    } catch {
      return bySelection(code);
    }
  };

  for (const button of document.querySelectorAll("button[data-copy]")) {
    const code = document.getElementById(button.dataset.copy);
    button.setAttribute("aria-describedby", code.id);
    button.addEventListener("click", async () => {
      const done = await copy(code);
      button.textContent = done ? "Copied" : "Selected";
      said.textContent = done ? "The command is copied." : "The command is selected; copy it with Ctrl+C.";
    });
    button.hidden = false;
  }

  // A link from the matrix leads to one target's verdict; a reader who uses the keyboard goes on from there.
  const land = () => {
    const place = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (place && place.hasAttribute("tabindex")) place.focus({ preventScroll: true });
  };
  window.addEventListener("hashchange", land);
  land();
})();
