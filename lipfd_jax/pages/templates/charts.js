"use strict";
/* Reads a chart's nearest point: under the pointer, or along the lines with the arrow keys. */
for (const chart of document.querySelectorAll("figure.chart")) {
  const drawing = chart.querySelector("svg"), reading = chart.querySelector(".reading");
  const points = [...drawing.querySelectorAll(".point")].map((element) => ({
    element, x: +element.getAttribute("cx"), y: +element.getAttribute("cy"), line: +element.dataset.line,
    text: element.querySelector("title").textContent,
  }));
  if (!points.length) continue;
  reading.textContent = "Point at it, or use the arrow keys.";
  let at = -1;
  const show = (index) => {
    if (at >= 0) points[at].element.classList.remove("on");
    at = index;
    points[at].element.classList.add("on");
    reading.textContent = points[at].text;
  };
  const nearest = (x, y, among) => among.reduce((best, index) => {
    const distance = (points[index].x - x) ** 2 + (points[index].y - y) ** 2;
    return distance < best[0] ? [distance, index] : best;
  }, [Infinity, at < 0 ? 0 : at])[1];
  const of = (line) => [...points.keys()].filter((index) => points[index].line === line);
  const lines = Math.max(...points.map((point) => point.line)) + 1;
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect(), view = drawing.viewBox.baseVal;
    const x = (event.clientX - box.left) * view.width / box.width;
    const y = (event.clientY - box.top) * view.height / box.height;
    show(nearest(x, y, [...points.keys()]));
  });
  drawing.addEventListener("keydown", (event) => {
    const here = points[Math.max(at, 0)], along = of(here.line), place = along.indexOf(Math.max(at, 0));
    const on = (step) => along[Math.min(Math.max(place + (at < 0 ? 0 : step), 0), along.length - 1)];
    const other = (step) =>
      lines > 1 ? nearest(here.x, here.y, of((here.line + step + lines) % lines)) : on(step);
    const moves = {
      ArrowRight: () => on(1), ArrowLeft: () => on(-1), ArrowDown: () => other(1), ArrowUp: () => other(-1),
      Home: () => along[0], End: () => along[along.length - 1],
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    show(moves[event.key]());
  });
}
