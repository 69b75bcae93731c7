// Pictures of figures, each with its table beside it, for those who cannot see the picture.

import { html, useEffect, useRef, useState } from "./preact.js";
import { Table } from "./ui.js";

const HEIGHT = 220;
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3]];
const DARK = matchMedia("(prefers-color-scheme: dark)");

let loaded = null;

/** The library and its style, which no page waits for: its tables are there at once. */
function library() {
  if (!loaded) {
    const link = { rel: "stylesheet", href: new URL("../vendor/uplot.css", import.meta.url).href };
    document.head.append(Object.assign(document.createElement("link"), link));
    loaded = import("../vendor/uplot.js").then((module) => module.default);
  }
  return loaded;
}

/**
 * A picture with its name, what its lines mean, and its table.
 *
 * `labels`: the words below the picture, from left to right. `series`: `{name, values}`, a number for each label.
 * `bars`: columns in place of lines. `unit`: what the values count. `shown(value)`: a value in the table.
 */
export function Chart({ title, label, labels, series, bars = false, unit, empty = "There is nothing to show.", shown = String }) {
  const place = useRef(null);
  const any = series.some(({ values }) => values.some(Boolean));
  const key = JSON.stringify([labels, series, bars]);
  const [uPlot, setLibrary] = useState(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    library().then((found) => setLibrary(() => found), () => setFailed(true));
  }, []);
  useEffect(() => {
    if (!any || !uPlot || failed) return undefined;
    let plot;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(options(uPlot, place.current, labels, series, bars), [labels.map((_, index) => index), ...series.map(({ values }) => values)], place.current);
    };
    draw();
    const resized = new ResizeObserver(() => plot.setSize({ width: place.current.clientWidth, height: HEIGHT }));
    resized.observe(place.current);
    DARK.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      DARK.removeEventListener("change", draw);
      plot.destroy();
    };
  }, [key, uPlot, failed]);
  const columns = [
    { title: label, cell: (row) => labels[row] },
    ...series.map(({ name, values }) => ({ title: name, number: true, cell: (row) => shown(values[row]) })),
  ];
  const rows = [...labels.keys()].filter((row) => series.some(({ values }) => values[row]));
  return html`<figure class="chart">
    <figcaption><h3>${title}</h3>${unit && html`<span class="quiet small">${unit}</span>`}</figcaption>
    ${any
      ? html`
          ${series.length > 1 && html`<ul class="key">${series.map(({ name }, index) => html`<li><svg viewBox="0 0 28 8" aria-hidden="true" class=${`ink-${index % 4}`}><line x1="0" y1="4" x2="28" y2="4" stroke="currentColor" stroke-width="3" stroke-dasharray=${DASHES[index % 4].join(" ") || null} /></svg>${name}</li>`)}</ul>`}
          ${!failed && html`<div class="plot" ref=${place} role="img" aria-label=${`${title}. The same figures stand in the table below.`}></div>`}
          <details open=${failed}><summary>${title} as a table</summary><${Table} caption=${title} columns=${columns} rows=${rows} id=${(row) => row} /></details>`
      : html`<p class="empty">${empty}</p>`}
  </figure>`;
}

function options(uPlot, element, labels, series, bars) {
  const style = getComputedStyle(element);
  const ink = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: style.color, grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line"), width: 1 }, font: `12px ${style.fontFamily}` };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: (_, first, last) => (bars ? [first - 0.6, last + 0.6] : [first, Math.max(last, first + 1)]) },
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] },
    },
    axes: [
      {
        ...axis,
        incrs: [1, 2, 5, 7, 10, 14, 30, 60, 90],
        space: Math.max(...labels.map((each) => each.length), 3) * 8,
        values: (_, places) => places.map((each) => (Number.isInteger(each) ? labels[each] ?? "" : "")),
      },
      { ...axis, size: 60 },
    ],
    series: [
      {},
      ...series.map(({ name }, index) => {
        const stroke = ink(`--ink-${index % 4}`);
        return bars
          ? { label: name, stroke, fill: stroke, paths: uPlot.paths.bars({ size: [0.7, 60] }), points: { show: false } }
          : { label: name, stroke, width: 2, dash: DASHES[index % 4], points: { show: labels.length < 40, size: 5 } };
      }),
    ],
  };
}
