// The player: every step of a training run is here at once, and is drawn here. The server hears where it rests.
//
// The picture is the toy's own equation from left to right, a row for each output k: W, l = W a, + g, z, and the
// prediction, which is the centre of mass of z and so stands on the same rows. Beside it, what came back.
const SECONDS = 0.9
const PLAY = "M4 2.5v11L13 8z", PAUSE = "M4 2.5h3v11H4zM9.5 2.5h3v11h-3z"
// What rounds to zero at two decimals. The readout tells it in full.
const SMALL = 0.005
const NUMBERED_CELLS = 6, NUMBERED_ROWS = 10

const signed = (words) => words.replaceAll("-", "−")

function text(value) {
  const size = Math.abs(value)
  if (size === 0) return "0"
  if (size < SMALL) return "0.00"
  return signed(value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0))
}

// What fits into a cell: at most four characters.
function brief(value) {
  const size = Math.abs(value)
  if (size === 0) return "0"
  if (size < SMALL) return ".00"
  return signed(size < 9.95 ? value.toFixed(size < 0.995 ? 2 : 1).replace("0.", ".") : value.toFixed(0))
}

const largest = (values) => Math.max(...values.flat(2).map(Math.abs))

// Blue above zero, orange below, through the page's own background. At four fifths of the colour the page's text is
// still read on it, in both themes.
function shade(value, most) {
  const part = most ? 80 * Math.min(Math.abs(value) / most, 1) : 0
  return `color-mix(in srgb, var(--${value < 0 ? "negative" : "positive"}) ${part}%, var(--st-background-color))`
}

// An n x n map with its scale. The scale is the run's, so that growth is seen.
class HeatMap {
  constructor(svg, { name, x, y, n, cell, most }) {
    Object.assign(this, { name, x, y, n, cell, most })
    const places = [...Array(n).keys()]
    this.cells = places.map((k) => places.map((j) => element(svg, "rect", {
      class: "cell", x: x + j * cell, y: y + k * cell, width: cell, height: cell, "data-cell": `${name},${k},${j}` })))
    this.minus = element(svg, "path", { class: "minus" })
    this.numbers = n > NUMBERED_CELLS ? [] : places.map((k) => places.map((j) => element(svg, "text", {
      class: "inside", x: x + (j + 0.5) * cell, y: y + (k + 0.5) * cell, style: `font-size:${Math.min(12, cell * 0.42)}px` })))
    this.frame = element(svg, "rect", { class: "nothing", x, y, width: n * cell, height: n * cell })
    this.words = element(svg, "text", { class: "inside number strong", x: x + n * cell / 2, y: y + n * cell / 2 })
    if (most) this.scale(svg)
  }

  scale(svg) {
    const width = this.n * this.cell, y = this.y + width + 12, pieces = 21
    for (let piece = 0; piece < pieces; piece++)
      element(svg, "rect", { x: this.x + width * piece / pieces, y, width: width / pieces + 0.3, height: 7,
        style: `fill:${shade(piece / (pieces - 1) * 2 - 1, 1)}` })
    element(svg, "rect", { class: "base", x: this.x, y, width, height: 7 })
    const marks = [["start", 0, text(-this.most)], ["middle", width / 2, "0"], ["end", width, text(this.most)]]
    for (const [anchor, at, words] of marks) element(svg, "text", { class: "note", x: this.x + at, y: y + 20, "text-anchor": anchor }, words)
  }

  // `values` is null where none came back.
  draw(values) {
    const empty = !values, words = this.wordsFor(values)
    this.frame.style.display = empty ? "" : "none"
    this.cells.forEach((row, k) => row.forEach((cell, j) => {
      cell.style.display = empty ? "none" : ""
      if (!empty) cell.style.fill = shade(values[k][j], this.most)
    }))
    this.numbers.forEach((row, k) => row.forEach((number, j) => {
      number.textContent = words.length ? "" : brief(values[k][j])
      number.classList.toggle("faint", !empty && values[k][j] === 0)
    }))
    // Not by colour alone: where there is no room for numbers, a dash marks what is negative.
    this.minus.setAttribute("d", empty || this.numbers.length ? "" : values.flatMap((row, k) => row.map((value, j) =>
      value < 0 && Math.abs(value) > this.most / 200 ? this.dash(k, j) : "")).join(""))
    this.words.replaceChildren()
    words.forEach((line, index) => element(this.words, "tspan", { x: this.x + this.n * this.cell / 2,
      dy: index ? "1.25em" : words.length > 1 ? "-.6em" : 0 }, line))
  }

  // Weights start at zero and say so in their cells; a gradient that is gone says so in words.
  wordsFor(values) {
    if (!values) return ["nothing", "came back"]
    if (this.name === "W" || largest(values) >= SMALL) return []
    return [largest(values) === 0 ? "all zero" : "all but zero"]
  }

  dash(k, j) {
    const half = this.cell * 0.22
    return `M${this.x + (j + 0.5) * this.cell - half} ${this.y + (k + 0.5) * this.cell}h${2 * half}`
  }
}

class Picture {
  constructor(svg) {
    this.svg = svg
  }

  // Lay the run out for this width; `draw` then only moves what a step moves.
  build(run, width) {
    this.svg.replaceChildren()
    this.run = run
    this.svg.classList.toggle("fine", run.records[0].array.length > NUMBERED_ROWS)
    const first = run.records[0], n = first.array.length
    const stacked = width < 720, left = n > NUMBERED_ROWS ? 20 : 16
    const side = Math.min(width * (stacked ? 0.37 : 0.21), 210)
    const cell = this.cell = Math.min(side / n, stacked ? 40 : 52), map = n * cell
    const tall = Math.max(13, Math.min(cell, 24)), arrayTop = 58
    const top = this.top = arrayTop + tall + 8, bottom = top + map
    Object.assign(this, { n, left, width, stacked, bottom })
    this.y = (k) => top + (k + 0.5) * cell

    const end = stacked ? width : width - map - 56
    this.lane = element(this.svg, "rect", { class: "lane", x: 0, width: end, height: cell })
    this.rows(left)
    this.heading(left, "W", stacked ? "weights" : "weights, zero at the start")
    this.array = this.arrayRow(left, arrayTop, tall)
    this.weights = new HeatMap(this.svg, { name: "W", x: left, y: top, n, cell, most: largest(run.records.map(({ weights }) => weights)) })

    const start = left + map + (stacked ? 14 : 32), gap = stacked ? 10 : 22
    const unit = (end - start - 3 * gap) / (stacked ? 4.3 : 4.5)
    const column = (index) => start + index * (unit + gap)
    this.logits = this.bars("logits", column(0), unit, ["ℓ = Wa", "logits"])
    this.noise = this.bars("noise", column(1), unit, ["+ g", "noise"], !run.noisy)
    this.sample = this.bars("sample", column(2), unit, ["z", "sample"])
    this.path(column(3), end - column(3) - 4)

    this.gradientAt = stacked ? { x: left, y: bottom + 96 } : { x: width - map - 1, y: top }
    const backTop = this.gradientAt.y
    element(this.svg, "text", { class: "head", x: this.gradientAt.x, y: stacked ? backTop - 27 : 14 }, "∂L/∂W")
    element(this.svg, "text", { class: "note", x: this.gradientAt.x, y: stacked ? backTop - 11 : 30 }, "what comes back")
    const gradients = run.records.map(({ gradient }) => gradient).filter(Boolean)
    this.gradient = new HeatMap(this.svg, { name: "gradient", ...this.gradientAt, n, cell, most: gradients.length ? largest(gradients) : 0 })
    this.height = (stacked ? backTop + map : bottom) + 42
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`)
  }

  heading(x, head, note, struck = false) {
    element(this.svg, "text", { class: "head", x, y: 14 }, head)
    element(this.svg, "text", { class: `note${struck ? " struck" : ""}`, x, y: 30 }, note)
  }

  // The places k, which are also the values that the prediction can take.
  rows(left) {
    const every = this.cell < 13 ? 5 : 1
    for (let k = 0; k < this.n; k += every)
      element(this.svg, "text", { class: "note", x: left - 6, y: this.y(k) + 4, "text-anchor": "end" }, String(k))
  }

  arrayRow(left, y, tall) {
    const roomy = this.cell >= 15
    element(this.svg, "text", { class: "strong", x: left - 6, y: y + tall / 2 + 4, "text-anchor": "end" }, "a")
    const label = element(this.svg, "text", { class: "note", y: y - 5, "text-anchor": "middle" }, "max")
    const cells = [...Array(this.n).keys()].map((j) => ({
      cell: element(this.svg, "rect", { class: "cell", x: left + j * this.cell, y, width: this.cell, height: tall, "data-cell": `a,${j}` }),
      number: element(this.svg, "text", { class: "inside", x: left + (j + 0.5) * this.cell, y: y + tall / 2,
        style: `font-size:${roomy ? Math.min(12, this.cell * 0.6) : 0}px` }),
    }))
    const ring = element(this.svg, "rect", { class: "cell max", y, width: this.cell, height: tall, style: "fill:none;pointer-events:none" })
    return { label, cells, ring }
  }

  bars(name, x, width, [head, note], struck = false) {
    this.heading(x, head, note, struck)
    const middle = name === "sample" ? x : x + width / 2
    element(this.svg, "line", { class: "base", x1: middle, x2: middle, y1: this.top, y2: this.bottom })
    const thick = Math.max(2, Math.min(this.cell * 0.5, 18))
    const marks = [...Array(this.n).keys()].map((k) => ({
      bar: element(this.svg, "rect", { class: "value", y: this.y(k) - thick / 2, height: thick, rx: 1.5, "data-cell": `${name},${k}` }),
      number: element(this.svg, "text", { class: "number", y: this.y(k) + 4 }),
    }))
    if (struck) element(this.svg, "path", { class: "nothing", d: `M${x} ${this.top} L${x + width} ${this.bottom} M${x + width} ${this.top} L${x} ${this.bottom}` })
    const foot = element(this.svg, "text", { class: "note", x: name === "sample" ? x : middle, y: this.bottom + 18, "text-anchor": name === "sample" ? "start" : "middle" })
    return { x, width, middle, marks, foot, struck }
  }

  // Predictions against steps, on the rows of z: the prediction is their centre of mass.
  path(x, width) {
    const steps = this.run.records.length
    this.heading(x, "Σ k zₖ", "prediction")
    this.at = (index) => x + 6 + (steps > 1 ? (width - 14) * index / (steps - 1) : 0)
    element(this.svg, "path", { class: "base", d: `M${x} ${this.top}V${this.bottom}H${x + width}` })
    const half = steps > 1 ? (width - 14) / (steps - 1) / 2 : width / 2 - 4
    element(this.svg, "path", { class: "goal", d: this.run.records.map(({ target }, index) =>
      `M${Math.max(x, this.at(index) - half)} ${this.y(target)}H${Math.min(x + width, this.at(index) + half)}`).join("") })
    this.trail = element(this.svg, "path", { class: "path" })
    this.dots = steps > 20 ? [] : this.run.records.map(({ prediction }, index) =>
      element(this.svg, "circle", { class: "past", cx: this.at(index), cy: this.y(prediction), r: 2.6 }))
    this.loss = element(this.svg, "line", { class: "gap" })
    this.now = element(this.svg, "circle", { class: "now", r: 6 })
    this.said = element(this.svg, "text", { class: "strong", x, y: this.bottom + 18 })
    this.lost = element(this.svg, "text", { x, y: this.bottom + 34, style: "fill:var(--negative)" })
  }

  draw(index) {
    const record = this.run.records[index], { array, target } = record
    this.lane.setAttribute("y", this.y(target) - this.cell / 2)
    const max = array.indexOf(this.n - 1)
    this.array.label.setAttribute("x", this.left + (max + 0.5) * this.cell)
    this.array.ring.setAttribute("x", this.left + max * this.cell)
    this.array.cells.forEach(({ cell, number }, j) => {
      cell.style.fill = `color-mix(in srgb, var(--st-text-color) ${30 * array[j] / (this.n - 1)}%, var(--st-background-color))`
      number.textContent = String(array[j])
    })
    this.weights.draw(record.weights)
    const reach = Math.max(largest(record.logits), this.run.noisy ? largest(record.noise) : 0) || 1
    this.drawBars(this.logits, record.logits, reach)
    this.drawBars(this.noise, record.noise, reach)
    this.drawBars(this.sample, record.sample, 1, record.index)
    this.drawPath(index)
    this.gradient.draw(record.gradient)
  }

  drawBars(column, values, reach, most = -1) {
    const signedAxis = most < 0, numbered = this.n <= NUMBERED_ROWS && !column.struck
    const room = signedAxis ? column.width / 2 - 1 : column.width - (this.n > NUMBERED_ROWS ? 1 : this.stacked ? 20 : 34)
    column.marks.forEach(({ bar, number }, k) => {
      const length = column.struck ? 0 : values[k] / reach * room
      bar.style.x = `${column.middle + Math.min(length, 0)}px`
      bar.style.width = `${Math.abs(length)}px`
      bar.classList.toggle("most", k === most)
      number.classList.toggle("strong", k === most)
      if (!numbered) return
      // A signed bar's number stands on the other side of zero, where there is room.
      const before = signedAxis && length > 0
      number.textContent = this.stacked ? brief(values[k]) : text(values[k])
      number.setAttribute("x", column.middle + (before ? -4 : signedAxis ? 4 : length + 4))
      number.setAttribute("text-anchor", before ? "end" : "start")
    })
    column.foot.textContent = column.struck ? "" : signedAxis ? `±${brief(reach)}` : "0 to 1"
  }

  drawPath(index) {
    const { prediction, target, loss } = this.run.records[index], x = this.at(index), y = this.y(prediction)
    this.trail.setAttribute("d", this.run.records.slice(0, index + 1).map((past, step) =>
      `${step ? "L" : "M"}${this.at(step)} ${this.y(past.prediction)}`).join(""))
    this.dots.forEach((dot, step) => { dot.style.display = step < index ? "" : "none" })
    this.now.style.transform = `translate(${x}px,${y}px)`
    for (const [name, value] of Object.entries({ x1: x, x2: x, y1: y, y2: this.y(target) })) this.loss.setAttribute(name, value)
    this.said.textContent = this.stacked ? text(prediction) : `predicts ${text(prediction)}`
    this.lost.textContent = `loss ${text(loss)}`
  }
}

class Player {
  constructor(host) {
    this.host = host
    this.count = this.heard = 0
    this.host.inert = true
    this.picture = new Picture(host.querySelector(".picture"))
    this.range = host.querySelector("input")
    this.playButton = host.querySelector(".play")
    this.playButton.onclick = () => (this.timer ? this.rest() : this.play())
    const moves = { back: () => this.rest(this.index - 1), on: () => this.rest(this.index + 1), replay: () => { this.show(0); this.play() } }
    this.moves = Object.fromEntries(Object.entries(moves).map(([name, move]) => {
      const button = host.querySelector(`[data-move=${name}]`)
      button.onclick = move
      return [name, button]
    }))
    this.range.oninput = () => { this.stop(); this.show(Number(this.range.value) - 1) }
    this.range.onchange = () => this.rest()
    this.speed = host.querySelector("select")
    host.querySelector(".picture").onpointerover = ({ target }) => { this.over = target.dataset.cell; this.read() }
    this.resized = new ResizeObserver(() => { if (this.run && host.clientWidth !== this.width) this.lay() })
    this.resized.observe(host)
  }

  update(data, send) {
    this.send = send
    // What the server says before it has heard the last word from here is out of date.
    // Within a session it never forgets a word: if it has, the session is a new one and counts afresh.
    if (data.heard < this.heard) this.count = data.heard
    this.heard = data.heard
    const late = data.heard < this.count
    this.count = Math.max(this.count, data.heard)
    if (data.name !== this.name) {
      // The message with the run may have been overtaken: ask for it.
      if (!data.run) { send("missing", data.name); return }
      this.stop()
      this.name = data.name
      this.run = JSON.parse(data.run)
      this.host.inert = false
      this.over = undefined
      this.index = data.step - 1
      this.range.max = this.run.records.length
      this.lay()
    } else if (!late && !this.timer) this.show(data.step - 1)
  }

  get last() {
    return this.run.records.length - 1
  }

  play() {
    if (this.index === this.last) this.show(0)
    if (this.last === 0) return this.rest()
    this.stop()
    this.tick()
    this.controls()
  }

  tick() {
    this.timer = setTimeout(() => {
      this.show(this.index + 1)
      if (this.index < this.last) this.tick()
      else this.rest()
    }, 1000 * SECONDS / Number(this.speed.value))
  }

  stop() {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  // Stand still at a step, and say it once.
  rest(index = this.index) {
    this.stop()
    this.show(index)
    this.send("step", { step: this.index + 1, count: ++this.count })
  }

  show(index) {
    this.index = Math.min(Math.max(index, 0), this.last)
    this.draw()
  }

  lay() {
    this.width = this.host.clientWidth
    this.picture.build(this.run, this.width)
    this.draw()
  }

  draw() {
    this.index = Math.min(this.index, this.last)
    this.picture.draw(this.index)
    this.controls()
    this.tell()
    this.read()
  }

  controls() {
    const at = this.index + 1, ended = this.index === this.last
    this.playButton.querySelector("path").setAttribute("d", this.timer ? PAUSE : PLAY)
    this.playButton.querySelector("span").textContent = this.timer ? "Pause" : ended && this.last ? "Again" : "Play"
    this.playButton.disabled = this.moves.replay.disabled = this.range.disabled = this.last === 0
    this.moves.back.disabled = this.index === 0
    this.moves.on.disabled = ended
    this.range.value = at
    this.host.querySelector(".count").innerHTML = `step <b>${at}</b> of ${this.last + 1}`
  }

  // The step in words, for those who do not see it and for tests.
  tell() {
    const record = this.run.records[this.index], at = this.index + 1
    const back = !record.gradient ? "No gradient came back." : largest(record.gradient) === 0 ? "The gradient is all zero."
      : `The largest gradient entry is ${text(largest(record.gradient))}.`
    const words = `The prediction is ${text(record.prediction)}, the target ${record.target}, the loss ${text(record.loss)}.`
    this.picture.svg.setAttribute("aria-label", `Step ${at} of ${this.last + 1}. ${words} The sample is largest at ${record.index}. ${back}`)
    this.range.setAttribute("aria-valuetext", `step ${at}: ${words}`)
    Object.assign(this.host.dataset, { step: at, steps: this.last + 1, prediction: record.prediction, loss: record.loss,
      sample: JSON.stringify(record.sample), weights: JSON.stringify(record.weights),
      gradient: !record.gradient ? "none" : largest(record.gradient) === 0 ? "zero" : "some",
      playing: Boolean(this.timer), frames: Number(this.host.dataset.frames ?? 0) + 1 })
  }

  read() {
    const readout = this.host.querySelector(".readout")
    if (!this.over) { readout.textContent = "Point at a cell or a bar, or touch it, to read its number."; return }
    const [name, k, j] = this.over.split(","), record = this.run.records[this.index]
    const symbol = { W: "W", gradient: "∂L/∂W", a: "a", logits: "ℓ", noise: "g", sample: "z" }[name]
    const row = name === "a" ? record.array[k] : name === "W" ? record.weights[k][j] : name === "gradient" ? record.gradient?.[k][j] : record[name][k]
    readout.textContent = row === undefined ? "" : `${symbol}[${j === undefined ? k : `${k}, ${j}`}] = ${signed(String(row))}`
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const host = parentElement.querySelector(".player"), player = onHost(host, Player)
  player.update(data, setTriggerValue)
  return atTheEnd(host, () => {
    player.stop()
    player.resized.disconnect()
  })
}
