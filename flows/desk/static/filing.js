// Small things of the pages of filing, which work without them too.
"use strict";

// A field that sends its form as soon as something is chosen in it.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-send]") && event.target.value) event.target.form.requestSubmit();
});

// The infectious time of the dates that are being typed.
document.addEventListener("change", async () => {
  const shown = document.getElementById("window");
  if (!shown) return;
  const typed = new FormData(document.getElementById("person"));
  const asked = new URLSearchParams();
  for (const name of ["onset", "sample", "policy"]) asked.set(name, typed.get(name) ?? "");
  const answer = await fetch(`${shown.dataset.at}?${asked}`);
  if (answer.ok) shown.innerHTML = await answer.text();
});
