// The morphing picture: a relaxed structure that follows the temperature scrub, without the server. Python sends it
// once at each temperature of a grid; tests hold what stands between against NumPy.
class Morph {
  constructor(host) {
    this.host = host
    this.svg = host.querySelector("svg")
    this.resized = new ResizeObserver(() => { if (host.clientWidth !== this.width) this.lay() })
    host.querySelector(".png").onclick = () => savePng(this.svg, this.data.name)
  }

  update(data) {
    this.data = data
    this.tau = data.tau
    this.svg.setAttribute("aria-label", data.alt)
    this.resized.observe(this.host)
    this.lay()
  }

  // Lay the picture out for these data and this width; `draw` then only moves what tau moves.
  lay() {
    this.width = this.host.clientWidth
    // Out of sight: it has a width when it comes into sight.
    if (!this.width) return
    this.svg.replaceChildren()
    const { height, move } = PICTURES[this.data.kind](this.svg, this.data, this.width)
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`)
    this.svg.style.height = `${height}px`
    this.readout = legend(this.svg, this.data.kind, this.width)
    this.move = move
    this.draw(this.tau)
  }

  draw(tau) {
    this.tau = tau
    if (!this.move) return
    const values = between(this.data.temperatures, this.data.frames, tau)
    this.move(values)
    this.readout.textContent = `τ = ${Number(tau.toPrecision(3))}`
    Object.assign(this.host.dataset, {
      tau: String(tau),
      values: JSON.stringify(values.map((value) => Number(value.toFixed(4)))),
      draws: String(Number(this.host.dataset.draws ?? 0) + 1),
    })
  }
}

const morphs = new Set()
onTemperature((tau) => morphs.forEach((morph) => morph.draw(tau)))

export default function ({ parentElement, data }) {
  const host = parentElement.querySelector(".morph"), morph = onHost(host, Morph)
  morphs.add(morph)
  morph.update(data)
  return atTheEnd(host, () => { morphs.delete(morph); morph.resized.disconnect() })
}
