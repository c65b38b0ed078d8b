// Applies the chosen colour theme and the presentation mode before the page is drawn.
"use strict";

(() => {
  const root = document.documentElement;
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // Without storage, the page follows the system theme.
  }
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  let isPresented = false;
  try {
    // Presentation is a matter of this tab.
    isPresented = sessionStorage.getItem("present") === "on";
  } catch {
    // Without storage, the mode ends with the page.
  }
  const present = () => {
    if (isPresented) root.dataset.present = "on";
    else delete root.dataset.present;
  };
  present();

  document.addEventListener("DOMContentLoaded", () => {
    const presentation = document.getElementById("present");
    const updatePresentation = () => {
      presentation.textContent = isPresented ? "Stop presenting" : "Present";
      presentation.title = isPresented ? "" : "Show larger, for a projector";
    };
    presentation.hidden = false;
    presentation.addEventListener("click", () => {
      isPresented = !isPresented;
      present();
      try {
        sessionStorage.setItem("present", isPresented ? "on" : "off");
      } catch {
        // As above.
      }
      updatePresentation();
    });
    updatePresentation();
    const button = document.getElementById("theme");
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
    const updateButton = () => {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try {
        localStorage.setItem("theme", root.dataset.theme);
      } catch {
        // Without storage, the choice applies to this page only.
      }
      updateButton();
    });
    system.addEventListener("change", updateButton);
    updateButton();
  });
})();
