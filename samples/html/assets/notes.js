const items = [...document.querySelectorAll("li")];

document.querySelector("#what").addEventListener("change", ({ target }) => {
  for (const item of items) item.hidden = target.value !== "" && !item.classList.contains(target.value);
  const shown = items.filter((item) => !item.hidden).length;
  document.querySelector("#answer").textContent = `${shown} changes`;
});
