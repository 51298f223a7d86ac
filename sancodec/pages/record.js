"use strict";
// The page of a record. Everything it shows is in the element "embedded"; texts are set as text.
(() => {
const record = JSON.parse(document.getElementById("embedded").textContent);
const PX_PER_MM = 96 / 25.4;
const PAPER_SPEED = 25, PAPER_GAIN = 10;
const COLOURS = ["#c2185b", "#0b63b5", "#2e7d32", "#ef6c00", "#6a1b9a", "#00838f", "#795548", "#546e7a"];
const ROW = 24, AXIS = 20, STEMS = 26;
const $ = (id) => document.getElementById(id);

function unpack(text, Type) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Type(bytes.buffer);
}

function columns(packed) {
  return {
    seconds: unpack(packed.seconds, Float64Array),
    kernel: unpack(packed.kernel, Int32Array),
    amplitude: packed.amplitude.map((own) => unpack(own, Float32Array)),
  };
}

for (const channel of record.channels) {
  channel.values = unpack(channel.samples, channel.type === "int16" ? Int16Array : Int32Array);
  delete channel.samples;
  channel.perMm = unitsPerMm(channel);
  channel.shown = true;
  [channel.up, channel.down] = reach(channel);
}
const beats = columns(record.beats), activations = columns(record.activations);

// Paper has 10 mm for a millivolt; other signals get the round number that lets them fit.
function unitsPerMm(channel) {
  const millivolts = { V: 1e-3, mV: 1, uV: 1e3, "\u00b5V": 1e3, "\u03bcV": 1e3, nV: 1e6 }[channel.units.trim()];
  const range = (high(channel) - low(channel)) / Math.abs(channel.gain) || 1;
  if (millivolts && range / millivolts > 0.2 && range / millivolts < 40) return millivolts / PAPER_GAIN;
  const wanted = range / 30, decade = 10 ** Math.floor(Math.log10(wanted));
  return decade * [1, 2, 5, 10].find((digit) => digit * decade >= wanted * 0.999);
}
function extreme(channel, better) {
  let found = null;
  for (const value of channel.values) if (value !== channel.missing && (found === null || better(value, found))) found = value;
  return found === null ? 0 : found;
}
function low(channel) { return extreme(channel, (a, b) => a < b); }
function high(channel) { return extreme(channel, (a, b) => a > b); }
// How far the signal goes up and down from its middle in most windows of two seconds, in mm of paper.
function reach(channel) {
  const size = Math.max(1, Math.round(2 * channel.fs)), ups = [], downs = [], n = Math.min(60, Math.ceil(channel.n / size));
  for (let i = 0; i < n; i++) {
    const a = Math.floor((channel.n - size) * (n > 1 ? i / (n - 1) : 0)), found = range(channel, Math.max(0, a), Math.min(channel.n, a + size));
    if (!found) continue;
    const centre = physical(channel, median(channel, Math.max(0, a), Math.min(channel.n, a + size)));
    const ends = found.map((value) => (physical(channel, value) - centre) / channel.perMm);
    ups.push(Math.max(...ends)); downs.push(-Math.min(...ends));
  }
  const most = (values) => Math.min(40, Math.max(4, values.sort((p, q) => p - q)[Math.floor(0.9 * (values.length - 1))] || 0));
  return [most(ups) + 4, most(downs) + 3];
}
function physical(channel, value) { return (value - channel.baseline) / channel.gain; }

// Of the samples from index a to b (exclusive): least, largest, or null where none is there.
function range(channel, a, b) {
  const { values, missing, step } = channel;
  let least = Infinity, largest = -Infinity;
  const from = Math.max(0, step > 1 ? 2 * Math.floor(a / step) : Math.floor(a));
  const to = Math.min(values.length, step > 1 ? 2 * Math.max(Math.ceil(b / step), Math.floor(a / step) + 1) : Math.max(Math.ceil(b), Math.floor(a) + 1));
  for (let i = from; i < to; i++) {
    const value = values[i];
    if (value === missing) continue;
    if (value < least) least = value;
    if (value > largest) largest = value;
  }
  return least > largest ? null : [least, largest];
}

const view = { start: 0, speed: PAPER_SPEED, gain: PAPER_GAIN, chosen: -1, kernel: -1 };
const trace = $("trace"), overview = $("overview");
let width = 0;
const seconds = () => width / (view.speed * PX_PER_MM);
const x = (time) => (time - view.start) * view.speed * PX_PER_MM;
const shownChannels = () => record.channels.filter((channel) => channel.shown);

function sized(canvas, height) {
  const ratio = window.devicePixelRatio || 1, wide = canvas.parentElement.clientWidth;
  if (height) canvas.style.height = `${height}px`;
  const tall = height || canvas.parentElement.clientHeight;
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(tall * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [pen, wide, tall];
}

function say(time) {
  const whole = Math.floor(time), h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60;
  const s = (time - 60 * Math.floor(whole / 60)).toFixed(2).padStart(5, "0");
  return `${h}:${String(m).padStart(2, "0")}:${s}`;
}

function clampView() {
  const slowest = width / (Math.max(record.seconds, 1) * PX_PER_MM);
  view.speed = Math.min(400, Math.max(Math.min(slowest, PAPER_SPEED), view.speed));
  view.start = Math.max(0, Math.min(view.start, Math.max(0, record.seconds - seconds())));
}

// Lines of the paper: where they would be closer than a few pixels, only each fifth is drawn.
function grid(pen, left, top, wide, tall, pxPerSecond, pxPerUnitMm, zero, begin) {
  const steps = [0.04, 0.2, 1, 5, 10, 60, 300, 900, 3600];
  const first = steps.findIndex((step) => step * pxPerSecond >= 3.2);
  const drawn = steps.slice(first, first + 2);
  drawn.forEach((step, level) => {
    pen.strokeStyle = level ? "#eeb4b0" : "#f8e0de";
    pen.lineWidth = level ? 1 : 0.8;
    pen.beginPath();
    for (let i = Math.ceil(begin / step); i * step <= begin + wide / pxPerSecond; i++) {
      const at = left + (i * step - begin) * pxPerSecond;
      pen.moveTo(at, top); pen.lineTo(at, top + tall);
    }
    pen.stroke();
  });
  let mm = pxPerUnitMm;
  while (mm < 3.2) mm *= 5;
  [1, 5].forEach((step, level) => {
    pen.strokeStyle = level ? "#eeb4b0" : "#f8e0de";
    pen.lineWidth = level ? 1 : 0.8;
    pen.beginPath();
    for (let i = Math.ceil((top - zero) / (mm * step)); zero + i * mm * step <= top + tall; i++) {
      const at = zero + i * mm * step;
      pen.moveTo(left, at); pen.lineTo(left + wide, at);
    }
    pen.stroke();
  });
  return drawn;
}

function middle(channel) {
  const { n, fs } = channel;
  return median(channel, Math.floor(view.start * fs), Math.min(n, Math.ceil((view.start + seconds()) * fs)));
}
function median(channel, a, b) {
  const { step, values, missing } = channel, found = [];
  const from = step > 1 ? 2 * Math.floor(a / step) : a, to = step > 1 ? 2 * Math.ceil(b / step) : b;
  const stride = Math.max(1, Math.floor((to - from) / 4000));
  for (let i = from; i < to; i += stride) if (values[i] !== missing && values[i] !== undefined) found.push(values[i]);
  found.sort((p, q) => p - q);
  return found.length ? found[found.length >> 1] : channel.baseline;
}

function polyline(pen, channel, y) {
  const { fs, values, missing, step } = channel, perSample = view.speed * PX_PER_MM / fs;
  pen.beginPath();
  if (perSample > 0.6 && step === 1) {
    let down = false;
    const last = Math.min(values.length - 1, Math.ceil((view.start + seconds()) * fs) + 1);
    for (let i = Math.max(0, Math.floor(view.start * fs) - 1); i <= last; i++) {
      if (values[i] === missing) { down = false; continue; }
      if (down) pen.lineTo(x(i / fs), y(values[i])); else pen.moveTo(x(i / fs), y(values[i]));
      down = true;
    }
  } else {
    let before = null;
    for (let px = 0; px < width; px += 0.5) {
      const a = (view.start + px / (view.speed * PX_PER_MM)) * fs;
      if (a >= channel.n) break;
      const found = range(channel, a, Math.min(a + 0.5 / perSample, channel.n));
      if (!found) { before = null; continue; }
      const [least, largest] = found;
      if (before === null) pen.moveTo(px, y(least)); else pen.lineTo(px, y(least));
      if (largest > least) pen.lineTo(px, y(largest));
      before = largest;
    }
  }
  pen.stroke();
}

// What activations and kernels say of the signal: each kernel times its amplitude, at its place.
function layerOf(channel, number) {
  const fs = channel.fs, a = Math.floor(view.start * fs), b = Math.ceil((view.start + seconds()) * fs);
  const sum = new Float64Array(Math.max(0, b - a));
  for (let i = 0; i < activations.seconds.length; i++) {
    const kernel = record.kernels[activations.kernel[i]], row = kernel.channels.indexOf(number);
    const amplitude = activations.amplitude[number][i], taps = row < 0 ? [] : kernel.shape[row];
    const begin = activations.seconds[i] - kernel.centre / kernel.fs;
    if (row < 0 || begin > view.start + seconds() || begin + taps.length / kernel.fs < view.start) continue;
    const last = Math.min(b, Math.floor((begin + (taps.length - 1) / kernel.fs) * fs));
    for (let n = Math.max(a, Math.ceil(begin * fs)); n < last; n++) {
      const at = (n / fs - begin) * kernel.fs, k = Math.floor(at), t = at - k;
      sum[n - a] += amplitude * ((1 - t) * taps[k] + t * (taps[k + 1] || 0));
    }
  }
  return [a, sum];
}

function drawTrace() {
  const shown = shownChannels(), scale = PX_PER_MM * view.gain / PAPER_GAIN;
  const tops = [AXIS];
  for (const channel of shown) tops.push(tops.at(-1) + Math.min(700, Math.max(60, (channel.up + channel.down) * scale)));
  const stems = $("stems").checked && activations.seconds.length ? STEMS : 0;
  const [pen, wide, tall] = sized(trace, tops.at(-1) + stems);
  width = wide;
  clampView();
  const pxPerSecond = view.speed * PX_PER_MM;
  let drawn = [0.2, 1];
  pen.fillStyle = "#fffafa";
  pen.fillRect(0, 0, wide, tall);
  shown.forEach((channel, place) => {
    const top = tops[place], strip = tops[place + 1] - top, centre = top + strip * channel.up / (channel.up + channel.down);
    const pxPerUnit = scale / channel.perMm, offset = physical(channel, middle(channel));
    const y = (value) => centre - (physical(channel, value) - offset) * pxPerUnit;
    pen.save();
    pen.beginPath(); pen.rect(0, top, wide, strip); pen.clip();
    drawn = grid(pen, 0, top, wide, strip, pxPerSecond, scale, centre, view.start);
    if ($("layer").checked) {
      const [first, sum] = layerOf(channel, record.channels.indexOf(channel));
      pen.strokeStyle = "#1e88e5"; pen.lineWidth = 2.4; pen.globalAlpha = 0.55;
      pen.beginPath();
      sum.forEach((value, n) => pen.lineTo(x((first + n) / channel.fs), centre - value * pxPerUnit));
      pen.stroke();
      pen.globalAlpha = 1;
    }
    pen.strokeStyle = "#16181d"; pen.lineWidth = view.speed < 8 ? 0.8 : 1.15; pen.lineJoin = "round";
    polyline(pen, channel, y);
    pen.restore();
    label(pen, channel, top, centre, pxPerSecond, pxPerUnit);
  });
  if (stems) drawStems(pen, tops.at(-1), stems);
  axis(pen, wide, drawn[1] * pxPerSecond < 46 ? 5 * drawn[1] : drawn[1], pxPerSecond);
  if (view.chosen >= 0) mark(pen, beats.seconds[view.chosen], tall);
  $("speed").textContent = `${round(view.speed)} mm/s`;
  $("gain").textContent = `${round(view.gain)} mm/mV`;
  $("place").textContent = `${say(view.start)} to ${say(Math.min(record.seconds, view.start + seconds()))}`;
  trace.dataset.start = view.start; trace.dataset.speed = view.speed;
}
const round = (number) => Number(number.toPrecision(3)).toString();

// Name, and the calibration pulse: 10 mm of paper high, 5 mm long.
function label(pen, channel, top, centre, pxPerSecond, pxPerUnit) {
  pen.font = "600 12px system-ui, sans-serif";
  const height = 10 * channel.perMm, text = `${channel.name}   ${round(height)} ${channel.units}`;
  pen.fillStyle = "rgba(255,250,250,.82)";
  pen.fillRect(30, top + 4, pen.measureText(text).width + 12, 18);
  pen.fillStyle = "#1d2229"; pen.textAlign = "left"; pen.textBaseline = "middle";
  pen.fillText(text, 36, top + 13);
  pen.strokeStyle = "#1d2229"; pen.lineWidth = 1.4;
  const tall = height * pxPerUnit, long = Math.min(0.2 * pxPerSecond, 5 * PX_PER_MM);
  pen.beginPath();
  pen.moveTo(2, centre); pen.lineTo(6, centre); pen.lineTo(6, centre - tall);
  pen.lineTo(6 + long, centre - tall); pen.lineTo(6 + long, centre); pen.lineTo(10 + long, centre);
  pen.stroke();
}

function axis(pen, wide, step, pxPerSecond) {
  pen.fillStyle = "#fff"; pen.fillRect(0, 0, wide, AXIS);
  pen.fillStyle = "#5c6570"; pen.font = "11px system-ui, sans-serif"; pen.textBaseline = "middle"; pen.textAlign = "center";
  while (step * pxPerSecond < 70) step *= step < 1 ? 5 : 2;
  for (let i = Math.ceil(view.start / step); i * step <= view.start + seconds(); i++) {
    const at = x(i * step), text = say(i * step).replace(/\.00$/, "");
    if (at > 22 && at < wide - 26) pen.fillText(text, at, AXIS / 2);
    pen.fillRect(at, AXIS - 4, 1, 4);
  }
}

function drawStems(pen, top, tall) {
  pen.fillStyle = "#fff"; pen.fillRect(0, top, width, tall);
  pen.font = "10px system-ui, sans-serif"; pen.textAlign = "center"; pen.textBaseline = "alphabetic";
  const first = lowerBound(activations.seconds, view.start), last = lowerBound(activations.seconds, view.start + seconds());
  const names = (last - first) * 14 < width;
  for (let i = first; i < last; i++) {
    const at = x(activations.seconds[i]), kernel = activations.kernel[i];
    pen.fillStyle = COLOURS[kernel % COLOURS.length];
    pen.globalAlpha = view.kernel < 0 || view.kernel === kernel ? 1 : 0.25;
    pen.fillRect(at - 0.75, top, 1.5, names ? 11 : tall - 6);
    if (names) pen.fillText(String(kernel), at, top + 22);
  }
  pen.globalAlpha = 1;
}

function mark(pen, time, tall) {
  const at = x(time);
  if (at < 0 || at > width) return;
  pen.fillStyle = "rgba(11,99,181,.13)";
  pen.fillRect(at - 0.05 * view.speed * PX_PER_MM, AXIS, 0.1 * view.speed * PX_PER_MM, tall - AXIS);
  pen.fillStyle = "#0b63b5";
  pen.fillRect(at - 0.5, AXIS, 1, tall - AXIS);
}

function lowerBound(values, wanted) {
  let a = 0, b = values.length;
  while (a < b) { const m = (a + b) >> 1; if (values[m] < wanted) a = m + 1; else b = m; }
  return a;
}

// The envelope of the first lead that is shown, the heart rate below it; drawn once, and kept.
let backdrop = null;
function drawBackdrop() {
  const canvas = document.createElement("canvas"), ratio = window.devicePixelRatio || 1;
  const wide = overview.parentElement.clientWidth, tall = overview.parentElement.clientHeight;
  canvas.width = Math.round(wide * ratio); canvas.height = Math.round(tall * ratio);
  const pen = canvas.getContext("2d"), channel = shownChannels()[0] || record.channels[0];
  pen.scale(ratio, ratio);
  pen.fillStyle = "#fbfcfd"; pen.fillRect(0, 0, wide, tall);
  const least = low(channel), largest = high(channel), part = record.areBeats ? 0.62 : 0.92;
  const y = (value) => 4 + (tall * part - 8) * (1 - (value - least) / (largest - least || 1));
  pen.fillStyle = "#46505c";
  for (let px = 0; px < wide; px++) {
    const found = range(channel, px / wide * channel.n, (px + 1) / wide * channel.n);
    if (found) pen.fillRect(px, y(found[1]), 1, Math.max(1, y(found[0]) - y(found[1])));
  }
  if (record.areBeats) drawRate(pen, wide, tall * part, tall * (1 - part));
  pen.fillStyle = "#5c6570"; pen.font = "11px system-ui, sans-serif"; pen.textBaseline = "top";
  const named = pen.measureText(channel.name).width + 8;
  pen.fillStyle = "rgba(255,255,255,.85)"; pen.fillRect(0, 0, named, 15);
  pen.fillStyle = "#1d2229"; pen.fillText(channel.name, 4, 2);
  backdrop = canvas;
}

function drawRate(pen, wide, top, tall) {
  const least = 30, largest = 180;
  pen.strokeStyle = "#e4e8ec"; pen.lineWidth = 1;
  pen.fillStyle = "#5c6570"; pen.font = "10px system-ui, sans-serif"; pen.textBaseline = "middle"; pen.textAlign = "right";
  const y = (rate) => top + (tall - 3) * (1 - (Math.min(largest, Math.max(least, rate)) - least) / (largest - least));
  for (const rate of [60, 120]) {
    pen.beginPath(); pen.moveTo(0, y(rate)); pen.lineTo(wide, y(rate)); pen.stroke();
  }
  pen.textAlign = "left";
  pen.fillStyle = "#c2185b";
  for (let i = 1; i < beats.seconds.length; i++) {
    const apart = beats.seconds[i] - beats.seconds[i - 1];
    if (apart > 0) pen.fillRect(beats.seconds[i] / record.seconds * wide - 0.7, y(60 / apart) - 0.7, 1.4, 1.4);
  }
  for (const rate of [60, 120]) {
    const text = `${rate}/min`, long = pen.measureText(text).width + 6;
    pen.fillStyle = "rgba(255,255,255,.8)"; pen.fillRect(wide - long, y(rate) - 6, long, 12);
    pen.fillStyle = "#5c6570"; pen.fillText(text, wide - long + 3, y(rate));
  }
}

function drawOverview() {
  const [pen, wide, tall] = sized(overview);
  if (!overview.width || !overview.height) return;
  if (!backdrop || backdrop.width !== overview.width || backdrop.height !== overview.height) drawBackdrop();
  pen.drawImage(backdrop, 0, 0, wide, tall);
  const left = view.start / record.seconds * wide, part = Math.max(2, seconds() / record.seconds * wide);
  pen.fillStyle = "rgba(11,99,181,.16)"; pen.fillRect(left, 0, part, tall);
  pen.strokeStyle = "#0b63b5"; pen.lineWidth = 1.2; pen.strokeRect(left + 0.6, 0.6, Math.max(1, part - 1.2), tall - 1.2);
}

let waiting = false;
function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; drawTrace(); drawOverview(); });
}

function zoom(factor, at) {
  const time = view.start + at / (view.speed * PX_PER_MM);
  view.speed *= factor;
  clampView();
  view.start = time - at / (view.speed * PX_PER_MM);
  draw();
}
function goTo(time) { view.start = time - seconds() / 2; draw(); }

// The table: only rows that can be seen are there, between two empty ones of the others' height.
let listed = [];
// Channels that follow from others have no amplitudes of their own.
const measured = record.channels.map((_, n) => n).filter((n) => record.kernels.some((kernel) => kernel.channels.includes(n)));
const scroll = document.querySelector("#beats .scroll"), rows = $("rows");
function list() {
  listed = [];
  for (let i = 0; i < beats.seconds.length; i++) if (view.kernel < 0 || beats.kernel[i] === view.kernel) listed.push(i);
  $("count").textContent = `${listed.length.toLocaleString("en")} of ${beats.seconds.length.toLocaleString("en")}`;
  fill();
}
function cell(row, text) { const made = row.insertCell(); made.textContent = text; return made; }
function spacer(n) { const made = rows.insertRow(); made.insertCell().style.height = `${n * ROW}px`; made.hidden = n === 0; }
function fill() {
  const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - 10), last = Math.min(listed.length, first + 40);
  rows.replaceChildren();
  spacer(first);
  for (let place = first; place < last; place++) {
    const i = listed[place], row = rows.insertRow(), kernel = beats.kernel[i];
    row.className = i === view.chosen ? "beat chosen" : "beat";
    row.dataset.beat = i; row.tabIndex = 0;
    cell(row, String(i + 1)); cell(row, say(beats.seconds[i]));
    const named = cell(row, ""), dot = document.createElement("span");
    dot.className = "dot"; dot.style.background = COLOURS[kernel % COLOURS.length];
    named.append(dot, String(kernel));
    const apart = i ? beats.seconds[i] - beats.seconds[i - 1] : 0;
    cell(row, apart > 0 ? (1000 * apart).toFixed(0) : "");
    if (record.areBeats) cell(row, apart > 0 ? (60 / apart).toFixed(0) : "");
    measured.forEach((n) => {
      const amplitude = beats.amplitude[n][i];
      cell(row, Number.isNaN(amplitude) ? "" : Number(amplitude.toPrecision(3)).toString());
    });
  }
  spacer(listed.length - last);
}
function choose(i) { view.chosen = i; goTo(beats.seconds[i]); fill(); }
function chooseKernel(number) {
  view.kernel = number;
  $("class").value = String(number);
  for (const shape of document.querySelectorAll(".shape")) shape.classList.toggle("chosen", Number(shape.dataset.kernel) === number);
  scroll.scrollTop = 0;
  list(); draw();
}

function drawKernel(canvas, kernel, number) {
  const [pen, wide, tall] = sized(canvas, 120), taps = kernel.shape[0].length, span = taps / kernel.fs;
  const typical = kernel.channels.map((_, row) => kernel.typical[row]);
  let least = 0, largest = 0;
  kernel.shape.forEach((own, row) => own.forEach((tap) => {
    const mm = tap * typical[row] / record.channels[kernel.channels[row]].perMm;
    least = Math.min(least, mm); largest = Math.max(largest, mm);
  }));
  const pxPerMm = Math.min(6, (tall - 10) / Math.max(largest - least, 2)), zero = 5 + largest * pxPerMm + (tall - 10 - (largest - least) * pxPerMm) / 2;
  pen.fillStyle = "#fffafa"; pen.fillRect(0, 0, wide, tall);
  grid(pen, 0, 0, wide, tall, wide / span, pxPerMm, zero, -kernel.centre / kernel.fs);
  kernel.shape.forEach((own, row) => {
    const perMm = record.channels[kernel.channels[row]].perMm;
    pen.strokeStyle = COLOURS[number % COLOURS.length]; pen.lineWidth = 1.5; pen.globalAlpha = row ? 0.4 : 1;
    pen.beginPath();
    own.forEach((tap, n) => pen.lineTo(n / taps * wide, zero - tap * typical[row] / perMm * pxPerMm));
    pen.stroke();
  });
  pen.globalAlpha = 1;
}

function build() {
  $("beats-title").textContent = record.areBeats ? "Beats" : "Activations";
  for (const head of ["", "time", "class", record.areBeats ? "RR, ms" : "after, ms", ...(record.areBeats ? ["per min"] : [])]) addHead(head);
  for (const n of measured) addHead(`${record.channels[n].name}, ${record.channels[n].units}`);
  for (let number = -1; number < record.kernels.length; number++) {
    const option = document.createElement("option");
    option.value = String(number); option.textContent = number < 0 ? "all" : String(number);
    $("class").append(option);
  }
  record.kernels.forEach((kernel, number) => {
    const shape = document.createElement("button"), said = document.createElement("span"), held = document.createElement("div");
    shape.className = "shape"; shape.dataset.kernel = number; shape.type = "button";
    const names = kernel.channels.map((channel) => record.channels[channel]).map((channel) => channel ? channel.name : "");
    said.textContent = `${number}: ${kernel.n.toLocaleString("en")} times, ${names.join(", ")}`;
    held.append(document.createElement("canvas"));
    shape.append(said, held);
    shape.addEventListener("click", () => chooseKernel(view.kernel === number ? -1 : number));
    $("shapes").append(shape);
  });
  if (!record.kernels.length) {
    for (const id of ["beats", "kernels"]) $(id).hidden = true;
    for (const id of ["layer", "stems"]) $(id).parentElement.hidden = true;
  }
  record.channels.forEach((channel) => {
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox"; box.checked = true;
    box.addEventListener("change", () => {
      channel.shown = box.checked;
      backdrop = null;
      draw();
    });
    label.append(box, channel.name);
    $("leads").append(label);
  });
}
function addHead(text) { const head = document.createElement("th"); head.textContent = text; $("heads").append(head); }
function drawKernels() { document.querySelectorAll(".shape canvas").forEach((canvas, number) => drawKernel(canvas, record.kernels[number], number)); }

function listen() {
  const step = (part) => () => { view.start += part * seconds(); draw(); };
  $("back").addEventListener("click", step(-0.8));
  $("forward").addEventListener("click", step(0.8));
  $("first").addEventListener("click", () => { view.start = 0; draw(); });
  $("last").addEventListener("click", () => { view.start = record.seconds; draw(); });
  $("in").addEventListener("click", () => zoom(2, width / 2));
  $("out").addEventListener("click", () => zoom(0.5, width / 2));
  $("higher").addEventListener("click", () => { view.gain = Math.min(80, view.gain * 2); draw(); });
  $("lower").addEventListener("click", () => { view.gain = Math.max(1.25, view.gain / 2); draw(); });
  $("paper").addEventListener("click", () => { view.gain = PAPER_GAIN; zoom(PAPER_SPEED / view.speed, width / 2); });
  for (const id of ["layer", "stems"]) $(id).addEventListener("change", draw);
  $("class").addEventListener("change", (event) => chooseKernel(Number(event.target.value)));
  scroll.addEventListener("scroll", fill);
  rows.addEventListener("click", (event) => {
    const row = event.target.closest("tr.beat");
    if (row) choose(Number(row.dataset.beat));
  });
  rows.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr.beat");
    if (row && event.key === "Enter") choose(Number(row.dataset.beat));
  });
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    goTo(event.offsetX / overview.clientWidth * record.seconds);
  });
  overview.addEventListener("pointermove", (event) => { if (event.buttons) goTo(event.offsetX / overview.clientWidth * record.seconds); });
  trace.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      view.start += (event.deltaX || event.deltaY) / (view.speed * PX_PER_MM);
      draw();
    } else zoom(Math.exp(-event.deltaY / 400), event.offsetX);
  }, { passive: false });
  trace.addEventListener("pointerdown", (event) => trace.setPointerCapture(event.pointerId));
  trace.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    view.start -= event.movementX / (view.speed * PX_PER_MM);
    draw();
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("select, input, .scroll") || event.ctrlKey || event.metaKey || event.altKey) return;
    const button = { ArrowLeft: "back", ArrowRight: "forward", Home: "first", End: "last", "+": "in", "=": "in", "-": "out", 0: "paper" }[event.key];
    if (button) { event.preventDefault(); $(button).click(); }
  });
  window.addEventListener("resize", () => { draw(); drawKernels(); });
}

build();
listen();
list();
draw();
drawKernels();
document.body.dataset.ready = "yes";
})();
