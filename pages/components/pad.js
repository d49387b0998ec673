// The pad: strokes are kept as points, in shares of the square's side, and drawn as sharply as the screen can. The
// server hears their ink at the end of each.
const PEN = 20 / 280

// A round pen's path through the points. Each corner is rounded: a hand draws no corners between two events.
function stroke(context, points, side) {
  const at = (index) => points[index].map((share) => share * side)
  context.beginPath()
  context.moveTo(...at(0))
  for (let index = 1; index < points.length - 1; index++) {
    const [x, y] = at(index), [nextX, nextY] = at(index + 1)
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2)
  }
  const [x, y] = at(points.length - 1)
  // A path without length has no ends to round: a tap moves by a hair.
  context.lineTo(x + 0.01, y)
  context.stroke()
}

function drawStrokes(canvas, side, strokes, colour) {
  canvas.width = canvas.height = side
  // The ink is read back often, and from a small picture.
  const context = canvas.getContext("2d", { willReadFrequently: true })
  Object.assign(context, { lineCap: "round", lineJoin: "round", lineWidth: PEN * side, strokeStyle: colour })
  for (const points of strokes) stroke(context, points, side)
  return context
}

// How much ink lies on each pixel, as base64: whatever the theme, it is the opacity.
function inkOf(strokes, side) {
  const { data } = drawStrokes(document.createElement("canvas"), side, strokes, "#000").getImageData(0, 0, side, side)
  let letters = ""
  for (let index = 3; index < data.length; index += 4) letters += String.fromCharCode(data[index])
  return btoa(letters)
}

class Pad {
  constructor(host) {
    this.host = host
    this.strokes = []
    this.canvas = host.querySelector("canvas")
    this.listen()
    // Before the first drawing a button that does nothing must stay one: disabled, it would lose the keyboard's focus.
    this.buttons = [...host.querySelectorAll("button")]
    const keeps = { undo: () => this.strokes.slice(0, -1), clear: () => [] }
    for (const button of this.buttons) button.onclick = () => {
      if (!this.strokes.length) return
      this.strokes = keeps[button.dataset.does]()
      this.say()
    }
    this.resized = new ResizeObserver(() => this.draw())
    this.resized.observe(host)
  }

  listen() {
    const { canvas } = this
    canvas.onpointerdown = (event) => {
      if (this.pointer !== undefined || event.button !== 0) return
      this.pointer = event.pointerId
      canvas.setPointerCapture(event.pointerId)
      this.strokes.push([this.shareOf(event)])
      this.draw()
    }
    canvas.onpointermove = (event) => {
      if (event.pointerId !== this.pointer) return
      const passed = event.getCoalescedEvents?.() ?? []
      this.strokes.at(-1).push(...(passed.length ? passed : [event]).map((each) => this.shareOf(each)))
      this.schedule()
    }
    canvas.onpointerup = canvas.onpointercancel = (event) => {
      if (event.pointerId !== this.pointer) return
      this.pointer = undefined
      this.say()
    }
  }

  shareOf({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect()
    return [(clientX - left) / width, (clientY - top) / height]
  }

  update({ side, cleared }, send) {
    this.send = send
    this.side = side
    if (this.cleared !== undefined && cleared !== this.cleared) this.wipe()
    this.cleared = cleared
    this.draw()
  }

  // A stroke that is being drawn goes, too, and its pointer draws no more.
  wipe() {
    this.strokes = []
    this.pointer = undefined
  }

  say() {
    this.draw()
    this.send("drawing", { ink: inkOf(this.strokes, this.side), cleared: this.cleared })
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => this.draw())
  }

  draw() {
    cancelAnimationFrame(this.frame)
    this.frame = undefined
    const side = Math.round(this.canvas.clientWidth * devicePixelRatio)
    if (side) drawStrokes(this.canvas, side, this.strokes, getComputedStyle(this.canvas).color)
    const blank = this.strokes.length === 0
    this.host.querySelector(".hint").hidden = !blank
    for (const button of this.buttons) button.setAttribute("aria-disabled", blank)
    this.host.dataset.strokes = String(this.strokes.length)
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const host = parentElement.querySelector(".pad"), pad = onHost(host, Pad)
  pad.update(data, setTriggerValue)
  return atTheEnd(host, () => pad.resized.disconnect())
}
