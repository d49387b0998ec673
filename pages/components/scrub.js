// The temperature scrub: tau moves in the browser, at display rate, without the server.
//
// Python sends the logits and the frozen noise once. Dragging recomputes softmax((logits + g) / tau) here and
// redraws; the server hears of it once, on release. A test holds this arithmetic against gumbel_core.
const DECADES = [-2, 2]
const STEPS = 400
const ROW = 52, GAP = 25, LAST = 112

export const tauAt = (position) => 10 ** (DECADES[0] + (DECADES[1] - DECADES[0]) * position / STEPS)
export const positionOf = (tau) => STEPS * (Math.log10(tau) - DECADES[0]) / (DECADES[1] - DECADES[0])
const rounded = (tau) => Number(tau.toPrecision(3))

function text(value) {
  if (value === -Infinity) return "−∞"
  const size = Math.abs(value)
  const digits = size < 0.01 ? 4 : size < 0.1 ? 3 : size < 10 ? 2 : size < 100 ? 1 : 0
  const shown = size !== 0 && (size >= 1e4 || size < 0.0005) ? value.toExponential(0) : value.toFixed(size ? digits : 2)
  return shown.replaceAll("-", "−").replace("e+", "e")
}

// The stages of one draw at one temperature. `logits` holds -Infinity for a masked category.
function stages({ logits, noise }, tau) {
  // The largest logit comes off before the noise goes on: 1e30 + g is 1e30 again.
  const peak = Math.max(...logits)
  const shifted = logits.map((logit, k) => logit - peak + noise[k])
  const perturbed = logits.map((logit, k) => logit + noise[k])
  const relaxed = softmax(shifted, tau)
  const winner = shifted.indexOf(Math.max(...shifted))
  const oneHot = relaxed.map((_, k) => Number(k === winner))
  return { perturbed, relaxed, winner, oneHot, scaled: perturbed.map((value) => value / tau), plain: softmax(logits, tau) }
}

const ROWS = [
  { name: "logits", symbol: "ℓ", note: "what you typed" },
  { name: "+ noise", symbol: "ℓ + g", note: "drag a bar: edit noise" },
  { name: "÷ τ", symbol: "(ℓ + g) / τ", note: "on the same axis" },
  { name: "softmax", symbol: "y", note: "the relaxed sample" },
  { name: "argmax", symbol: "one-hot", note: "Gumbel-Max draw" },
]

class Pipeline {
  constructor(svg, onEdit) {
    this.svg = svg
    this.onEdit = onEdit
  }

  // Lay the picture out for these data and this width; `draw` then only moves what tau moves.
  build(data, width) {
    this.data = data
    this.svg.replaceChildren()
    const narrow = width < 560
    const left = narrow ? 4 : 144
    const count = data.logits.length
    const step = (width - left - 4) / count
    const bar = Math.max(1.5, Math.min(step * 0.62, 64))
    const header = narrow ? 30 : 0
    this.count = count
    this.numbers = step >= 38
    this.roomy = step >= 92
    this.x = (k) => left + step * (k + 0.5)
    this.bar = bar
    const finite = [...data.logits, ...data.logits.map((logit, k) => logit + data.noise[k])].filter(Number.isFinite)
    this.low = Math.min(0, ...finite), this.high = Math.max(0, ...finite)
    if (this.low === this.high) this.high = 1
    this.rows = ROWS.map((row, index) => {
      const top = 14 + index * (ROW + GAP + header) + header
      element(this.svg, "text", { class: "row", x: narrow ? left : 0, y: narrow ? top - 21 : top + 16 }, row.name)
      element(this.svg, "text", narrow ? { class: "note", x: width - 4, y: top - 21, "text-anchor": "end" }
        : { class: "note", x: 0, y: top + 34 }, row.symbol)
      if (!narrow) element(this.svg, "text", { class: "note", x: 0, y: top + 50 }, row.note)
      element(this.svg, "line", { class: "base", x1: left, x2: width, y1: this.zero(index, top), y2: this.zero(index, top) })
      const marks = data.logits.map((_, k) => ({
        bar: element(this.svg, "rect", { class: "bar", x: this.x(k) - bar / 2, width: bar, rx: 1.5 }),
        ghost: index === 1 ? element(this.svg, "rect", { class: "ghost", x: this.x(k) - bar / 2, width: bar }) : null,
        cut: index === 2 ? element(this.svg, "path", { class: "cut" }) : null,
        label: element(this.svg, "text", { class: "number", x: this.x(k), "text-anchor": "middle" }),
      }))
      return { top, marks }
    })
    this.buildTogether(14 + ROWS.length * (ROW + GAP + header) + 34, left, width, narrow)
    this.handles(narrow)
  }

  // The three on one axis: without noise, relaxed, one-hot. Told apart by outline, fill and marker too.
  buildTogether(top, left, width, narrow) {
    this.lastTop = top
    element(this.svg, "text", { class: "row", x: narrow ? left : 0, y: narrow ? top - 44 : top + 16 }, "on one axis")
    const legend = [["hollow", "softmax(ℓ/τ), no noise"], ["soft", this.data.hard ? "y, which carries the gradient" : "Gumbel-Softmax sample y"],
      ["hot", this.data.hard ? "straight-through: the one-hot goes forward" : "Gumbel-Max one-hot"]]
    legend.reduce((x, [kind, words], index) => {
      const y = narrow ? top - 30 + 14 * index : top - 18
      const at = narrow ? left : x
      if (kind === "hot") element(this.svg, "path", { class: "hot", d: diamond(at + 5, y, 5) })
      else element(this.svg, "rect", { class: kind, x: at, y: y - 5, width: 10, height: 10 })
      const label = element(this.svg, "text", { class: "legend", x: at + 15, y: y + 4 }, words)
      return x + 40 + label.getComputedTextLength()
    }, left)
    if (narrow) top = this.lastTop = top + 22
    for (const level of [0, 0.5, 1]) {
      const y = top + LAST * (1 - level)
      element(this.svg, "line", { class: "base", x1: left, x2: width, y1: y, y2: y })
      element(this.svg, "text", { class: "note", x: left - 4, y: y + 4, "text-anchor": "end" }, narrow ? "" : String(level))
    }
    const third = this.bar / 2
    this.together = this.data.logits.map((_, k) => ({
      hollow: element(this.svg, "rect", { class: "hollow", x: this.x(k) - this.bar / 2, width: third }),
      soft: element(this.svg, "rect", { class: this.data.hard ? "soft back" : "soft", x: this.x(k), width: third }),
      hot: element(this.svg, "path", { class: "hot" }),
    }))
    const room = Math.floor((width - left) / this.count / 7.2)
    this.names = this.data.names.map((full, k) => {
      const fit = full.length <= room ? full : room > 3 ? full.slice(0, room - 1) + "…" : ""
      return { full, fit, label: element(this.svg, "text", { class: "name", x: this.x(k), y: top + LAST + 18, "text-anchor": "middle" }) }
    })
    this.height = top + LAST + 30
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`)
    this.svg.style.height = `${this.height}px`
  }

  zero(index, top) {
    return index < 3 ? top + ROW * this.high / (this.high - this.low) : top + ROW
  }

  // Grab a bar of the second row and move it: its noise changes until the winner flips.
  handles(narrow) {
    const { top } = this.rows[1]
    this.data.logits.forEach((logit, k) => {
      if (logit === -Infinity) return
      const handle = element(this.svg, "rect", { class: "handle", x: this.x(k) - Math.max(this.bar, narrow ? 30 : 16) / 2,
        width: Math.max(this.bar, narrow ? 30 : 16), y: top - 8, height: ROW + 16, "data-handle": k })
      handle.onpointerdown = (down) => {
        handle.setPointerCapture(down.pointerId)
        this.held = true
        const start = this.data.noise[k], perPixel = (this.high - this.low) / ROW
        handle.onpointermove = (move) => {
          this.data.noise[k] = Math.max(-100, Math.min(100, start + (down.clientY - move.clientY) * perPixel))
          this.moved()
        }
        handle.onpointerup = handle.onpointercancel = () => {
          handle.onpointermove = handle.onpointerup = handle.onpointercancel = null
          this.held = false
          if (this.data.noise[k] !== start) this.onEdit(k, this.data.noise[k])
        }
      }
    })
  }

  draw(tau) {
    const now = stages(this.data, tau)
    const values = [this.data.logits, now.perturbed, now.scaled, now.relaxed, now.oneHot]
    this.rows.forEach(({ top, marks }, index) => {
      const zero = this.zero(index, top)
      const scale = index < 3 ? ROW / (this.high - this.low) : ROW
      marks.forEach((mark, k) => {
        const value = values[index][k], wins = k === now.winner
        const reach = value === -Infinity ? 0 : Math.max(Math.min(value * scale, zero - top + 5), zero - top - ROW - 5)
        const y = zero - Math.max(reach, 0), height = Math.max(Math.abs(reach), 0.75)
        mark.bar.setAttribute("y", y)
        mark.bar.setAttribute("height", height)
        mark.bar.classList.toggle("wins", wins && index > 0)
        const ghost = mark.ghost && Number.isFinite(this.data.logits[k]) ? this.data.logits[k] * scale : 0
        if (mark.ghost) {
          mark.ghost.setAttribute("y", zero - Math.max(ghost, 0))
          mark.ghost.setAttribute("height", Math.abs(ghost))
        }
        if (mark.cut) {
          const beyond = value !== -Infinity && Math.abs(value * scale) > Math.abs(reach) + 0.5
          mark.cut.setAttribute("d", beyond ? this.chevron(k, zero - reach, Math.sign(reach)) : "")
        }
        mark.label.textContent = this.numbers || (wins && index > 2) || value === -Infinity ? this.label(index, k, value) : ""
        mark.label.setAttribute("y", reach < 0 ? zero - Math.min(reach, ghost) + 11 : zero - Math.max(reach, ghost) - 4)
      })
    })
    this.together.forEach((mark, k) => {
      level(mark.hollow, now.plain[k], this.lastTop)
      level(mark.soft, now.relaxed[k], this.lastTop)
      const wins = k === now.winner, { label, full, fit } = this.names[k]
      // Where bars are thin, sixty diamonds at zero say nothing: the winner's stands for all.
      mark.hot.setAttribute("d", wins || this.numbers ? diamond(this.x(k) + this.bar / 4, this.lastTop + LAST * (1 - now.oneHot[k]), 5) : "")
      mark.hot.classList.toggle("wins", wins)
      label.classList.toggle("wins", wins)
      label.textContent = wins ? full : fit
    })
    return now
  }

  // Where there is room, the second row shows the noise itself: what an edit replaces.
  label(index, k, value) {
    const noise = this.data.noise[k]
    return index === 1 && this.roomy && value !== -Infinity ? `${noise < 0 ? "−" : "+"} ${text(Math.abs(noise))} = ${text(value)}` : text(value)
  }

  chevron(k, y, sign) {
    const half = Math.min(this.bar / 2, 7)
    return `M${this.x(k) - half} ${y + sign * 7} L${this.x(k)} ${y + sign * 2} L${this.x(k) + half} ${y + sign * 7}`
  }
}

function level(rect, value, top) {
  rect.setAttribute("y", top + LAST * (1 - value))
  rect.setAttribute("height", Math.max(LAST * value, 0.75))
}

const diamond = (x, y, r) => `M${x} ${y - r} L${x + r} ${y} L${x} ${y + r} L${x - r} ${y} Z`

class Scrub {
  constructor(host) {
    this.host = host
    this.range = host.querySelector("input")
    this.readout = host.querySelector(".value")
    this.pipeline = new Pipeline(host.querySelector("svg"), (index, value) => this.send("edit", { index, value }))
    this.pipeline.moved = () => this.schedule()
    this.range.oninput = () => this.dragged(this.snapped(Number(this.range.value)))
    this.range.onchange = () => this.send("tau", this.tau)
    this.range.onpointerdown = () => { this.held = true }
    this.range.onpointerup = this.range.onpointercancel = () => { this.held = false }
    this.resized = new ResizeObserver(() => { if (this.data && this.host.clientWidth !== this.width) this.lay() })
    this.resized.observe(host)
    host.querySelector(".png").onclick = () => savePng(this.pipeline.svg, "one_draw")
  }

  // Components elsewhere on the page may follow the drag.
  dragged(tau) {
    this.tau = tau
    this.host.dispatchEvent(new CustomEvent("temperature", { detail: tau, bubbles: true, composed: true }))
    this.schedule()
  }

  // Under a pointer the figures' temperatures hold the thumb; the arrow keys pass them freely.
  snapped(position) {
    const stop = this.held && this.data.stops.find((tau) => Math.abs(positionOf(tau) - position) < STEPS / 100)
    return stop || rounded(tauAt(position))
  }

  update(data, send) {
    this.send = send
    this.data = data.draw ? { ...data, ...unpacked(data.draw) } : data
    if (!this.held) {
      this.tau = data.tau
      this.range.value = positionOf(data.tau)
    }
    this.host.classList.toggle("bare", !data.draw)
    this.host.querySelector(".hint").textContent = data.hint
    this.stops()
    this.lay()
  }

  // Built once: a button that is built anew loses the keyboard's focus.
  stops() {
    const list = this.host.querySelector(".stops")
    if (list.children.length) return
    list.replaceChildren(...this.data.stops.map((tau) => {
      const stop = document.createElement("button")
      stop.type = "button"
      stop.textContent = String(tau).replace(/^0/, "")
      stop.style.left = `${100 * positionOf(tau) / STEPS}%`
      stop.setAttribute("aria-label", `Set temperature to ${tau}`)
      stop.onclick = () => { this.range.value = positionOf(tau); this.dragged(tau); this.send("tau", tau) }
      return stop
    }))
  }

  lay() {
    this.width = this.host.clientWidth
    if (this.data.draw && !this.pipeline.held) this.pipeline.build(this.data, this.width)
    this.draw()
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => { this.frame = undefined; this.draw() })
  }

  draw() {
    this.readout.textContent = String(this.tau)
    this.range.setAttribute("aria-valuetext", `tau ${this.tau}`)
    this.host.dataset.frames = String(Number(this.host.dataset.frames ?? 0) + 1)
    if (!this.data.draw) return
    const now = this.pipeline.draw(this.tau)
    const winner = this.data.names[now.winner]
    this.pipeline.svg.setAttribute("aria-label",
      `One draw at temperature ${this.tau}. ${winner} wins. Relaxed sample: ` +
      this.data.names.map((name, k) => `${name} ${text(now.relaxed[k])}`).join(", ") + ".")
    this.host.dataset.relaxed = JSON.stringify(now.relaxed)
    this.host.dataset.winner = String(now.winner)
  }
}

// A masked logit travels as null, for JSON has no -Infinity. The noise is copied: a dragged bar edits it.
const unpacked = ({ logits, noise, ...rest }) =>
  ({ ...rest, logits: logits.map((logit) => logit ?? -Infinity), noise: [...noise] })

export default function ({ parentElement, data, setTriggerValue }) {
  const host = parentElement.querySelector(".scrub"), scrub = onHost(host, Scrub)
  scrub.update(data, setTriggerValue)
  return atTheEnd(host, () => scrub.resized.disconnect())
}
