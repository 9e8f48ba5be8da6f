// Keeps a waiting page, a log or a task up to date by asking its JSON twin; without script the page refreshes itself.
(() => {
  "use strict";
  for (const log of document.querySelectorAll(`[data-part="lines"]`)) log.scrollTop = log.scrollHeight; // the end tells most
  const box = document.querySelector(`[data-live]:not([data-live=""])`);
  if (!box) return;
  const kind = box.dataset.live; // waiting, log or task
  const part = (name) => box.querySelector(`[data-part="${name}"]`);
  const output = part("lines");
  let next = box.dataset.next || "";
  let failures = 0;

  const address = () => {
    const url = new URL(box.dataset.url, location.href);
    if (kind !== "waiting") url.searchParams.set("after", next);
    return url;
  };

  const atEnd = () => output.scrollHeight - output.scrollTop - output.clientHeight < 24;

  const append = (lines) => {
    if (!lines.length) return;
    const follow = atEnd();
    output.append(lines.join("\n") + "\n");
    output.hidden = false;
    if (follow) output.scrollTop = output.scrollHeight;
  };

  const showWaiting = (body) => {
    if (body.state !== "starting") { location.reload(); return false; }
    part("phase").textContent = body.phase;
    part("position").hidden = body.position === null;
    if (body.position !== null) part("number").textContent = body.position;
    output.textContent = body.lines.join("\n");
    output.hidden = !body.lines.length;
    output.scrollTop = output.scrollHeight;
    return true;
  };

  const showLines = (body) => {
    append(body.lines);
    next = body.next;
    if (body.running) return true;
    if (kind === "task") location.reload();
    return false;
  };

  const ask = async () => {
    try {
      const answer = await fetch(address(), { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (answer.status === 401 || answer.status === 403 || answer.status === 404) { location.reload(); return; }
      if (!answer.ok) throw new Error(answer.status);
      const body = await answer.json();
      failures = 0;
      if (!(kind === "waiting" ? showWaiting(body) : showLines(body))) return;
    } catch {
      failures = Math.min(failures + 1, 6);
    }
    setTimeout(ask, document.hidden ? 5000 : 1000 * 2 ** failures);
  };

  if (output) output.scrollTop = output.scrollHeight;
  setTimeout(ask, 800);
})();
