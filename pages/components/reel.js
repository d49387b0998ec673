// The reel: what a run made of a few images, frame by frame. Every frame is sent once and drawn here; the server
// hears where the thumb is let go.
const counted = (step) => step.toLocaleString("en")

class Reel {
  constructor(host) {
    this.host = host
    this.count = this.heard = 0
    this.range = host.querySelector("input")
    this.latest = host.querySelector("button")
    this.range.oninput = () => { this.held = true; this.draw() }
    this.range.onchange = () => this.letGo()
    // A thumb that comes back to where it was taken changes nothing, and so tells no change: the pointer's end does.
    // The range's own change comes after it.
    const ended = () => setTimeout(() => this.letGo())
    this.range.onpointerdown = () => {
      this.held = true
      for (const end of ["pointerup", "pointercancel"]) addEventListener(end, ended, { once: true })
    }
    // The button is about to be disabled, and a disabled one loses the keyboard's focus.
    this.latest.onclick = () => { this.range.focus(); this.choose(null); this.lay() }
  }

  update(data, send) {
    this.send = send
    // What the server says before it has heard the last word from here is out of date.
    // Within a session it never forgets a word: if it has, the session is a new one and counts afresh.
    if (data.heard < this.heard) this.count = data.heard
    this.heard = data.heard
    const late = data.heard < this.count
    this.count = Math.max(this.count, data.heard)
    if (data.run !== this.run) this.begin(data.run)
    this.take(data)
    if (!late) {
      this.moment = data.moment
      // The message with the frames may have been overtaken: ask for them.
      if (!this.originals || this.kept.some((step) => !this.frames.has(step))) this.say("missing")
    }
    if (!this.held) this.lay()
  }

  begin(run) {
    Object.assign(this, { run, frames: new Map(), originals: undefined, steps: [], moment: null, held: false })
    this.host.inert = true
  }

  take({ shape, steps, originals, frames }) {
    this.shape = shape
    this.kept = steps
    if (originals) this.originals = bytesOf(originals)
    for (const [step, { soft, hard }] of Object.entries(frames))
      this.frames.set(Number(step), { soft: bytesOf(soft), hard: bytesOf(hard) })
  }

  // Put the frames that are kept onto the range. Not while the thumb is held: it would slip.
  lay() {
    for (const step of this.frames.keys()) if (!this.kept.includes(step)) this.frames.delete(step)
    this.steps = this.kept.filter((step) => this.frames.has(step))
    if (!this.originals || !this.steps.length) return
    this.host.inert = false
    this.range.hidden = this.latest.hidden = this.steps.length === 1
    this.range.max = this.last
    // A moment may have lost its frame: the one before it stands in. Before the first, the range clamps -1 to 0.
    this.range.value = this.moment === null ? this.last : this.steps.findLastIndex((step) => step <= this.moment)
    this.draw()
  }

  get last() {
    return this.steps.length - 1
  }

  get index() {
    return Number(this.range.value)
  }

  letGo() {
    if (!this.held) return
    this.held = false
    this.choose(this.index === this.last ? null : this.steps[this.index])
    this.lay()
  }

  // A step to stay at, or null: the latest, whatever comes.
  choose(moment) {
    if (moment === this.moment) return
    this.moment = moment
    this.say("moment", { step: moment })
  }

  say(word, more = {}) {
    this.send(word, { run: this.run, count: ++this.count, ...more })
  }

  draw() {
    const step = this.steps[this.index]
    if (step === undefined) return
    const pictures = { originals: this.originals, ...this.frames.get(step) }
    const shown = this.originals.length / (this.shape[0] * this.shape[1])
    for (const canvas of this.host.querySelectorAll("canvas"))
      drawPictures(canvas, pictures[canvas.dataset.row], this.shape, shown)
    this.tell(step, shown)
  }

  tell(step, shown) {
    const latest = this.index === this.last
    this.latest.disabled = latest
    this.host.querySelector("b").textContent = counted(step)
    this.host.querySelector(".newest").hidden = !latest || this.steps.length === 1
    this.range.setAttribute("aria-valuetext", `step ${counted(step)}${latest ? ", the latest" : ""}`)
    this.host.querySelector(".rows").setAttribute("aria-label", `Step ${counted(step)}: ${shown} images in three rows. ` +
      "The first shows the originals, the second what the model decodes from relaxed samples (soft), the third what " +
      "it decodes from the one-hot samples of the same noise (hard).")
    this.host.dataset.step = String(step)
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  onHost(parentElement.querySelector(".reel"), Reel).update(data, setTriggerValue)
}
