// Draws the charts of the statistics. The tables beside them say the same, and all there is without this script.
// Nothing moves by itself, so there is nothing to hold still for whoever prefers that.
(() => {
  "use strict";

  const LABEL = 62; // points that the label of an edge needs
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--chart-${name}`).trim();
  const font = () => `12px ${getComputedStyle(document.body).fontFamily}`;
  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");

  const axis = (more) => ({
    stroke: () => colour("ink"),
    grid: { stroke: () => colour("grid"), width: 1 },
    ticks: { stroke: () => colour("grid"), width: 1 },
    font: font(),
    ...more,
  });

  const wholeNumbers = (_, values) => values.map((value) => (Number.isInteger(value) ? value : ""));
  const bars = () => uPlot.paths.bars({ size: [0.9, 160] });

  // How long payers took: a bar for each span of time, the share of all at its end, and the deadlines.
  const times = (data) => {
    const xs = [];
    const counts = [];
    const shares = [];
    data.edges.forEach((_, place) => {
      xs.push(place);
      counts.push(undefined);
      shares.push(place === 0 ? null : Number(data.shares[place - 1]));
      if (place < data.counts.length) {
        xs.push(place + 0.5);
        counts.push(data.counts[place]);
        shares.push(undefined);
      }
    });
    const edges = axis({
      splits: () => data.edges.map((_, place) => place),
      values: (plot, splits) => {
        const every = Math.ceil((splits.length * LABEL) / plot.width) || 1;
        return splits.map((place) => (place % every === 0 ? data.edges[place] : ""));
      },
    });
    const name = (_, x) => (x === null ? "" : data.edges[Math.floor(x)]);
    return {
      data: [xs, counts, shares],
      options: {
        scales: {
          x: { time: false, range: [0, data.edges.length - 1] },
          y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
          share: { range: [0, 100] },
        },
        axes: [
          edges,
          axis({ values: wholeNumbers, label: "invoices", labelSize: 20 }),
          axis({ scale: "share", side: 1, size: 62, grid: { show: false }, values: (_, vs) => vs.map((v) => `${v} %`) }),
        ],
        series: [
          { label: "up to", value: name },
          { label: "invoices", paths: bars(), fill: () => colour("bar"), points: { show: false }, value: (_, v) => v ?? "" },
          {
            label: "share",
            scale: "share",
            stroke: () => colour("line"),
            width: 2,
            spanGaps: true,
            points: { show: true, size: 5, fill: () => colour("line") },
            value: (_, v) => (v === null || v === undefined ? "" : `${v} %`),
          },
        ],
        legend: { show: false },
        hooks: { ready: [(plot) => marks(plot, data)], setSize: [(plot) => marks(plot, data)] },
      },
    };
  };

  const marks = (plot, data) => {
    plot.over.querySelectorAll(".mark").forEach((old) => old.remove());
    for (const mark of data.marks) {
      const line = document.createElement("div");
      const words = document.createElement("span");
      const left = plot.valToPos(mark.at, "x");
      line.className = left > plot.over.clientWidth / 2 ? "mark left" : "mark";
      line.dataset.mark = mark.name;
      line.style.left = `${left}px`;
      words.textContent = mark.label;
      line.append(words);
      plot.over.append(line);
    }
  };

  const day = (_, seconds) => (seconds === null ? "" : new Date(seconds * 1000).toISOString().slice(0, 10));

  const around = { day: 43200, week: 302400, month: 1296000 }; // half a bucket: bars stand on its beginning

  const overTime = (data, series, more) => ({
    options: {
      tzDate: utc,
      scales: {
        x: { range: [data.starts[0] - around[data.bucket], data.starts.at(-1) + around[data.bucket]] },
        y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] },
      },
      series: [{ label: `${data.bucket} from`, value: day }, ...series],
      ...more,
    },
  });

  // How the invoices of each bucket stand: parts of one bar, drawn from the tallest sum to the first part.
  const outcomes = (data) => {
    let sums = data.starts.map(() => 0);
    const stacked = data.series.map(({ values }) => (sums = sums.map((sum, place) => sum + values[place])));
    const order = data.series.map((one, place) => ({ ...one, sums: stacked[place] })).reverse();
    const series = order.map((one) => ({
      label: one.name,
      paths: bars(),
      fill: () => colour(one.name),
      stroke: () => colour(one.name),
      width: 0,
      points: { show: false },
      value: (_, __, ___, place) => (place === null ? "" : one.values[place]),
    }));
    const axes = [days(), axis({ values: wholeNumbers, label: "invoices", labelSize: 20 })];
    return { data: [data.starts, ...order.map((one) => one.sums)], ...overTime(data, series, { axes }) };
  };

  // What came of one asset. The number is for the height of the bar alone: the text is the amount.
  const volume = (data) => {
    const series = [
      {
        label: data.asset,
        paths: bars(),
        fill: () => colour("bar"),
        points: { show: false },
        value: (_, __, ___, place) => (place === null ? "" : data.values[place]),
      },
    ];
    const axes = [days(), axis({ size: 80, label: data.asset, labelSize: 20 })];
    return { data: [data.starts, data.values.map(Number)], ...overTime(data, series, { axes }) };
  };

  const DAYS = [1, 2, 7, 14, 28, 91, 182, 365, 730, 1825, 3650].map((days) => days * 86400);
  const days = () => axis({ incrs: DAYS, space: 90, values: (_, splits) => splits.map((at) => day(_, at)) });

  const KINDS = { times, outcomes, volume };
  const drawn = new Map();

  const size = (box) => ({ width: box.clientWidth, height: box.classList.contains("small") ? 190 : 290 });

  const draw = (box) => {
    drawn.get(box)?.destroy();
    box.hidden = false;
    const { data, options } = KINDS[box.dataset.chart](JSON.parse(box.dataset.values));
    drawn.set(box, new uPlot({ ...size(box), cursor: { drag: { x: false } }, ...options }, data, box));
  };

  const boxes = document.querySelectorAll("[data-chart]");
  boxes.forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => boxes.forEach(draw));
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const plot = drawn.get(target);
      if (plot && plot.width !== target.clientWidth) plot.setSize(size(target));
    }
  });
  boxes.forEach((box) => resized.observe(box));
})();
