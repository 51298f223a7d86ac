// The SAN layer of a file, made from its activations by the graph that decoders run.
"use strict";

const embedded = JSON.parse(document.getElementById("embedded").textContent);
const COLOURS = ["#0b63b5", "#b35c00", "#1b7f3b", "#8a2fb0", "#a3172e", "#00798a", "#5c5c00", "#444"];
const SECONDS = 10, ROW = 190, STEMS = 46;
const $ = (id) => document.getElementById(id);
let session = null, ort = null, shown = null;

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function ints(text) {
  return new Int32Array(bytesOf(text).buffer);
}

async function unzipped(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function start() {
  const code = new Blob([bytesOf(embedded.runtime)], { type: "text/javascript" });
  ort = await import(URL.createObjectURL(code));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await unzipped(embedded.wasm);
  session = await ort.InferenceSession.create(bytesOf(embedded.graph), { executionProviders: ["wasm"] });
  for (const layer of embedded.layers) {
    for (const name of ["bank", "chunk", "position", "kernel", "amplitude", "shift"]) layer[name] = ints(layer[name]);
  }
  embedded.frames.forEach((_, i) => $("chunk").add(new Option(`${i + 1} of ${embedded.frames.length}`, i)));
  $("chunk").onchange = () => show(Number($("chunk").value));
  $("from").oninput = draw;
  window.addEventListener("resize", draw);
  await show(0);
}

function big(values) {
  return new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [values.length]);
}

function scalar(value) {
  return new ort.Tensor("int64", BigInt64Array.of(BigInt(value)), []);
}

// The kernels of one layer in one chunk, added up: each lead in a row of its own, as the decoder does.
async function place(layer, chunk, frames) {
  const [nKernels, nKernelLeads, nPhases, nTaps] = layer.shape, nLeads = layer.leads.length;
  const rows = [], amplitudes = [], positions = [], records = [], found = [];
  layer.chunk.forEach((own, i) => {
    if (own !== chunk) return;
    const position = layer.position[i], phase = ((position % nPhases) + nPhases) % nPhases;
    found.push({ position: position / nPhases, kernel: layer.kernel[i], amplitude: Array.from(layer.amplitude.subarray(i * nLeads, (i + 1) * nLeads)) });
    for (let lead = 0; lead < nLeads; lead++) {
      rows.push((layer.kernel[i] * nKernelLeads + (nKernelLeads > 1 ? lead : 0)) * nPhases + phase);
      amplitudes.push(layer.amplitude[i * nLeads + lead]);
      positions.push(Math.floor(position / nPhases) - layer.centre + nTaps);
      records.push(lead);
    }
  });
  const nSamples = frames * layer.perFrame;
  const feeds = {
    bank: new ort.Tensor("int32", layer.bank, [nKernels * nKernelLeads * nPhases, nTaps]),
    row: big(rows), position: big(positions), record: big(records),
    amplitude: new ort.Tensor("int32", Int32Array.from(amplitudes), [amplitudes.length]),
    n_records: scalar(nLeads), n_samples: scalar(nSamples + nTaps),
  };
  const { sums } = await session.run(feeds), width = sums.dims[1];
  const signals = layer.leads.map((_, lead) => {
    const shift = layer.shift[lead], right = Math.max(shift, 0), left = Math.max(-shift, 0);
    const row = sums.data.subarray(lead * width + nTaps, lead * width + nTaps + nSamples);
    return Int32Array.from(row, (sum) => ((sum + ((1 << right) >> 1)) >> right) << left);
  });
  return { signals, found };
}

// CRC-32, to compare with what sancodec's decoder made of the same file.
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let i = 0; i < 8; i++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});

function checksum(values) {
  let crc = 0xffffffff;
  for (const byte of new Uint8Array(values.buffer, values.byteOffset, values.byteLength)) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

async function show(chunk) {
  const began = performance.now(), frames = embedded.frames[chunk];
  shown = { chunk, layers: [] };
  let nValues = 0, same = true;
  for (const layer of embedded.layers) {
    if (layer.checksums[chunk] === null) continue;
    const made = await place(layer, chunk, frames);
    made.signals.forEach((signal, lead) => {
      nValues += signal.length;
      same = same && checksum(signal) === layer.checksums[chunk][lead];
    });
    shown.layers.push({ layer, ...made });
  }
  const took = (performance.now() - began).toFixed(0), state = $("state");
  state.className = same ? "right" : "wrong";
  state.textContent = `${nValues.toLocaleString("en")} values in ${took} ms: ` + (same ? "those of sancodec's decoder, to the last bit" : "NOT those of sancodec's decoder");
  $("from").max = Math.max(0, Math.ceil(frames / embedded.fs) - SECONDS);
  $("from").value = 0;
  draw();
}

function draw() {
  const canvas = $("trace"), ratio = window.devicePixelRatio || 1;
  const nRows = shown.layers.reduce((total, own) => total + own.signals.length, 0);
  const width = canvas.clientWidth, height = Math.max(1, nRows) * ROW;
  canvas.style.height = `${height}px`;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d"), from = Number($("from").value);
  pen.scale(ratio, ratio);
  const begin = embedded.frames.slice(0, shown.chunk).reduce((total, own) => total + own, 0) / embedded.fs + from;
  $("place").textContent = `${begin.toFixed(0)} s to ${(begin + SECONDS).toFixed(0)} s`;
  let top = 0;
  for (const { layer, signals, found } of shown.layers) {
    const fs = embedded.fs * layer.perFrame, first = from * fs, last = first + SECONDS * fs;
    const x = (t) => ((t - first) / (last - first)) * width;
    signals.forEach((signal, lead) => {
      const most = signal.reduce((peak, value) => Math.max(peak, Math.abs(value)), 1);
      const middle = top + (ROW - STEMS) / 2, y = (value) => middle - (value / most) * (ROW - STEMS) * 0.45;
      pen.strokeStyle = "#f0d3d3";
      pen.lineWidth = 1;
      for (let second = 0; second <= SECONDS; second++) line(pen, x(first + second * fs), top, x(first + second * fs), top + ROW);
      pen.strokeStyle = "#b3261e";
      pen.lineWidth = 1.3;
      pen.beginPath();
      for (let t = Math.max(0, first); t < Math.min(last, signal.length); t++) pen.lineTo(x(t), y(signal[t]));
      pen.stroke();
      const strongest = found.reduce((peak, own) => Math.max(peak, Math.abs(own.amplitude[lead])), 1);
      for (const own of found) {
        if (own.position < first || own.position > last) continue;
        pen.strokeStyle = COLOURS[own.kernel % COLOURS.length];
        pen.lineWidth = 2;
        line(pen, x(own.position), top + ROW - 4, x(own.position), top + ROW - 4 - (STEMS - 8) * Math.abs(own.amplitude[lead]) / strongest);
      }
      pen.fillStyle = "#1d2229";
      pen.font = "13px system-ui, sans-serif";
      pen.fillText(layer.leads[lead], 8, top + 18);
      top += ROW;
    });
  }
}

function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

start().catch((error) => {
  $("state").className = "wrong";
  $("state").textContent = `this browser could not: ${error.message}`;
  throw error;
});
