// Small things of the desk's own pages. Everything works without them but the live page.
"use strict";

// A form that asks before it is sent.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A run that is over: the page is opened anew, with its results.
document.addEventListener("over", () => window.location.reload());
