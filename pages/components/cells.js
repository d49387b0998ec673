// The cells: a row for each latent, a column for each category. A click moves the ring here, at once, and the server
// answers with what the new code draws. Indices count from 0; what is read counts from 1, as in the other figures.
// Pixels: the least and most of a cell's sides, the tallest grid, the room of labels, of the pictures beside it.
const LEAST = 4, WIDEST = 30, TALLEST = 480, LEFT = 36, TOP = 36, BESIDE = 300
const STACKED = 620
const LABEL = 13, ROOMY = 9

const places = (count) => [...Array(count).keys()]
const clamped = (value, low, high) => Math.min(Math.max(value, low), high)
// The first, every fifth and the last: enough to count by.
const round = (index, count) => index === 0 || (index + 1) % 5 === 0 || index === count - 1

// Of these places, in order of weight, those whose labels leave each other room.
function fitting(wanted, step, room) {
  const kept = []
  for (const index of wanted) if (kept.every((other) => Math.abs(other - index) * step >= room)) kept.push(index)
  return kept
}

class Grid {
  constructor(svg) {
    this.svg = svg
  }

  // Lay the cells out for this width; `draw` then only changes what differs.
  build(latents, categories, width) {
    this.svg.replaceChildren()
    this.latents = latents
    this.categories = categories
    this.high = clamped(Math.floor((TALLEST - TOP) / latents), LEAST, WIDEST)
    this.wide = clamped(Math.floor((width - LEFT - 2) / categories), LEAST, Math.min(WIDEST, 3 * this.high))
    this.width = LEFT + categories * this.wide + 2
    this.height = TOP + latents * this.high + 2
    this.svg.setAttribute("width", this.width)
    this.svg.setAttribute("height", this.height)
    this.fine = Math.min(this.high, this.wide) < ROOMY
    this.svg.classList.toggle("fine", this.fine)
    this.header()
    this.cells = places(latents).map((latent) => this.cellsOf(latent))
    this.row = element(this.svg, "rect", { class: "row", x: LEFT - 1, width: categories * this.wide + 2, height: this.high + 2, rx: 2 })
    this.marks = places(latents).map((latent) => this.marksOf(latent))
    this.over = element(this.svg, "rect", { class: "over", height: this.high })
  }

  header() {
    element(this.svg, "text", { x: LEFT, y: 10 }, "category")
    element(this.svg, "text", { x: LEFT - 6, y: TOP - 7, "text-anchor": "end" }, "latent")
    const all = places(this.categories), wanted = this.wide >= 18 ? all : all.filter((index) => round(index, this.categories))
    for (const category of fitting(wanted, this.wide, 18))
      element(this.svg, "text", { x: this.x(category) + this.wide / 2, y: TOP - 7, "text-anchor": "middle" }, String(category + 1))
  }

  cellsOf(latent) {
    element(this.svg, "rect", { class: "gutter", x: 0, y: this.y(latent), width: LEFT, height: this.high, "data-latent": latent })
    return places(this.categories).map((category) => ({ rect: element(this.svg, "rect", { class: "cell", x: this.x(category),
      y: this.y(latent), width: this.wide, height: this.high, "data-latent": latent, "data-category": category }) }))
  }

  marksOf(latent) {
    const inset = this.fine ? 1 : 1.5, y = this.y(latent)
    return {
      label: element(this.svg, "text", { x: LEFT - 6, y: y + this.high / 2 + 4, "text-anchor": "end" }, String(latent + 1)),
      dot: element(this.svg, "circle", { class: "dot", cy: y + this.high / 2, r: clamped(0.2 * this.high, 1.8, 3.4) }),
      ring: element(this.svg, "rect", { class: "ring", x: inset, y: y + inset, rx: this.fine ? 1 : 2,
        width: this.wide - 2 * inset, height: this.high - 2 * inset }),
    }
  }

  x(category) {
    return LEFT + category * this.wide
  }

  y(latent) {
    return TOP + latent * this.high
  }

  draw({ probabilities, chosen, drawn, selected }) {
    this.cells.forEach((row, latent) => row.forEach((cell, category) => {
      const value = probabilities[latent][category]
      if (value === cell.value) return
      cell.value = value
      cell.rect.style.fill = `color-mix(in srgb, var(--st-primary-color) ${100 * value}%, var(--empty))`
    }))
    const changed = places(this.latents).filter((latent) => chosen[latent] !== drawn[latent])
    this.marks.forEach(({ dot, ring }, latent) => {
      ring.style.transform = `translateX(${this.x(chosen[latent])}px)`
      dot.style.display = changed.includes(latent) ? "" : "none"
      dot.setAttribute("cx", this.x(drawn[latent]) + this.wide / 2)
    })
    this.label(changed, selected)
    this.row.style.display = selected === null ? "none" : ""
    if (selected !== null) this.row.setAttribute("y", this.y(selected) - 1)
  }

  // Where rows are low, the selected latent's label and the changed ones' take the place of their neighbours'.
  label(changed, selected) {
    const all = places(this.latents), first = selected === null ? changed : [selected, ...changed]
    const kept = fitting([...new Set([...first, ...all.filter((latent) => round(latent, this.latents)), ...all])],
      this.high, this.high >= LABEL ? 0 : LABEL)
    this.marks.forEach(({ label }, latent) => {
      label.style.display = kept.includes(latent) ? "" : "none"
      label.classList.toggle("changed", changed.includes(latent))
      label.classList.toggle("selected", latent === selected)
    })
  }

  // A frame around a cell, or around a label where the category is null.
  point(at) {
    this.over.style.display = at ? "" : "none"
    if (!at) return
    const label = at.category === null
    this.over.setAttribute("x", label ? 2 : this.x(at.category))
    this.over.setAttribute("y", this.y(at.latent))
    this.over.setAttribute("width", label ? LEFT - 4 : this.wide)
  }
}

// Ink that came and ink that went, on the page's own paper. Not by colour alone: what went is striped.
function drawChange(canvas, after, before, [height, width]) {
  const unit = Math.max(5, Math.round(336 / width)), gap = Math.ceil(unit / 4), style = getComputedStyle(canvas)
  canvas.width = width * unit
  canvas.height = height * unit
  const context = canvas.getContext("2d")
  after.forEach((value, pixel) => {
    const change = value - before[pixel], x = unit * (pixel % width), y = unit * Math.floor(pixel / width)
    // One latent of thirty moves little ink: half of it has the full colour already.
    context.globalAlpha = Math.min(Math.abs(change) / 128, 1)
    context.fillStyle = style.getPropertyValue(change > 0 ? "--more" : "--less")
    context.fillRect(x, y, unit, change < 0 ? unit - gap : unit)
  })
}

class Cells {
  constructor(host) {
    this.host = host
    this.count = this.heard = 0
    this.unheard = []
    this.grid = new Grid(host.querySelector(".grid"))
    this.listen(this.grid.svg)
    this.resized = new ResizeObserver(() => { if (this.data && host.clientWidth !== this.width) this.lay() })
    this.resized.observe(host)
  }

  listen(svg) {
    svg.onpointerover = ({ target }) => { const at = this.placeOf(target); if (at) this.point(at) }
    // A finger that was lifted leaves, too: what it tapped stays to be read.
    svg.onpointerleave = ({ pointerType }) => { if (pointerType === "mouse") this.point(null) }
    svg.onclick = ({ target }) => { const at = this.placeOf(target); if (at) { this.point(at); this.choose(at) } }
    svg.onpointerdown = svg.onblur = () => svg.classList.remove("keyed")
    svg.onfocus = () => { if (svg.matches(":focus-visible")) this.key(this.cursor ?? { latent: 0, category: this.chosen[0] }) }
    svg.onkeydown = (event) => this.press(event)
  }

  placeOf({ dataset: { latent, category } }) {
    return latent === undefined ? null : { latent: Number(latent), category: category === undefined ? null : Number(category) }
  }

  // The arrows move a cursor over the cells and, at the left, over the labels.
  press(event) {
    const { latent, category } = this.cursor ?? { latent: 0, category: 0 }, column = category ?? -1
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      Home: [0, -Infinity], End: [0, Infinity], PageUp: [-5, 0], PageDown: [5, 0] }
    const move = moves[event.key], flips = event.key === "Enter" || event.key === " "
    if (!move && !flips || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    if (move) {
      const to = clamped(column + move[1], -1, this.grid.categories - 1)
      this.key({ latent: clamped(latent + move[0], 0, this.grid.latents - 1), category: to < 0 ? null : to })
    } else {
      this.key({ latent, category })
      this.choose({ latent, category })
    }
  }

  key(at) {
    this.grid.svg.classList.add("keyed")
    this.point(at)
  }

  update(data, send) {
    this.send = send
    // Within a session the server never forgets a word: if it has, the session is a new one and counts afresh.
    if (data.heard < this.heard) { this.count = data.heard; this.unheard = [] }
    this.heard = data.heard
    this.count = Math.max(this.count, data.heard)
    // Clicks on another code were not meant for this one. Those that were not heard yet stand in front of the answer.
    this.unheard = data.name === this.data?.name ? this.unheard.filter(({ count }) => count > data.heard) : []
    const { probabilities: old } = this.data ?? {}
    this.data = data
    if (old?.length !== data.probabilities.length || old[0].length !== data.probabilities[0].length) this.lay()
    else this.draw()
    this.picture()
  }

  get chosen() {
    const chosen = [...this.data.chosen]
    for (const { latent, category } of this.unheard) if (category !== null) chosen[latent] = category
    return chosen
  }

  get selected() {
    return this.unheard.findLast(({ category }) => category === null)?.latent ?? this.data.selected
  }

  // A cell flips its latent. A label selects it.
  choose({ latent, category }) {
    if (category === null ? this.selected === latent : this.chosen[latent] === category) return
    this.unheard.push({ count: ++this.count, latent, category })
    // All that is unheard: of two words in one rerun the server keeps the last.
    this.send("said", { name: this.data.name, words: this.unheard })
    this.draw()
  }

  lay() {
    this.width = this.host.clientWidth
    const stacked = this.width < STACKED, { probabilities } = this.data
    this.host.classList.toggle("stacked", stacked)
    this.grid.build(probabilities.length, probabilities[0].length, this.width - (stacked ? 0 : BESIDE))
    this.cursor = null
    this.draw()
  }

  draw() {
    const { data, chosen, selected } = this
    this.grid.draw({ ...data, chosen, selected })
    this.point(this.cursor)
    this.host.classList.toggle("waiting", this.unheard.length > 0)
    const changed = chosen.filter((category, latent) => category !== data.drawn[latent]).length
    this.grid.svg.setAttribute("aria-label", `A code of ${chosen.length} latents with ${data.probabilities[0].length} categories each, ` +
      `${changed || "none"} changed. The arrow keys move, Enter flips the latent to the category.`)
    Object.assign(this.host.dataset, { chosen: chosen.join(), selected: selected ?? "", heard: this.heard, waiting: this.unheard.length,
      drawn: Number(this.host.dataset.drawn ?? 0) + 1 })
  }

  picture() {
    const { original, decoded, before, shape } = this.data
    const canvas = (name) => this.host.querySelector(`[data-picture=${name}] canvas`)
    canvas("original").parentElement.hidden = !original
    if (original) drawPictures(canvas("original"), bytesOf(original), shape, 1)
    drawPictures(canvas("decoded"), bytesOf(decoded), shape, 1)
    drawChange(canvas("change"), bytesOf(decoded), bytesOf(before), shape)
  }

  point(at) {
    this.cursor = at
    this.grid.point(at)
    const readout = this.host.querySelector(".readout"), words = at ? this.wordsFor(at) : "Point at a cell to read it, click it to flip its latent."
    readout.classList.toggle("says", Boolean(at))
    // A live region speaks whenever it is written to.
    if (readout.textContent !== words) readout.textContent = words
  }

  wordsFor({ latent, category }) {
    if (category === null) return `latent ${latent + 1}: ${latent === this.selected ? "selected" : "click to select it"}`
    const own = category === this.data.drawn[latent] && category !== this.chosen[latent] ? ", the encoder's" : ""
    const probability = this.data.probabilities[latent][category].toFixed(2)
    return `latent ${latent + 1}, category ${category + 1}: ${probability}${category === this.chosen[latent] ? ", in the code" : own}`
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const host = parentElement.querySelector(".cells"), cells = onHost(host, Cells)
  cells.update(data, setTriggerValue)
  return atTheEnd(host, () => cells.resized.disconnect())
}
