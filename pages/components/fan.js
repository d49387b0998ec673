// Moves the fan of a standing figure while the temperature scrub is dragged: the arrows of single estimates and
// of their mean. Their own elements are moved, because a Plotly update draws the whole figure anew, which is too
// slow for a drag. Tests hold where they go against NumPy, and against what Plotly draws there.

// The points of this temperature: between two frames by its logarithm, and beyond the grid its last frame.
export function between(temperatures, frames, tau) {
  const next = temperatures.findIndex((grid) => grid >= tau)
  if (next === -1) return frames[frames.length - 1]
  if (next === 0) return frames[0]
  const low = temperatures[next - 1], high = temperatures[next]
  const share = Math.log(tau / low) / Math.log(high / low)
  return frames[next - 1].map((from, index) =>
    from.map((place, axis) => place + share * (frames[next][index][axis] - place)))
}

function groupOf(plot, trace) {
  const groups = [...plot.querySelectorAll(".scatterlayer > .trace")]
  return groups.find((group) => group.__data__?.[0]?.trace?.index === trace)
}

// One line to each tip and back, as the figure draws it: all the shafts are a single element.
function moveLine(group, start, tips) {
  group?.querySelector("path.js-line")?.setAttribute("d", `M${tips.map((tip) => `${start}L${tip}`).join("L")}`)
}

// A figure out of sight may stand there yet with another number of dots.
function moveDots(group, places) {
  const dots = group?.querySelectorAll("path.point") ?? []
  places.forEach((place, index) => dots[index]?.setAttribute("transform", `translate(${place})`))
}

function moveFan(plot, { traces, temperatures, frames, start }, tau) {
  const { xaxis, yaxis } = plot._fullLayout
  const [from, mean, ...tips] = [start, ...between(temperatures, frames, tau)]
    .map(([x, y]) => `${xaxis.d2p(x).toFixed(2)},${yaxis.d2p(y).toFixed(2)}`)
  moveLine(groupOf(plot, traces.shafts), from, tips)
  moveDots(groupOf(plot, traces.tips), tips)
  moveLine(groupOf(plot, traces.mean), from, [mean])
  moveDots(groupOf(plot, traces.mean), [from, mean])
}

// What follows, by host: the default export runs again for every new data, its clean-up once.
const followers = new Map()
let latest, frame

function move() {
  frame = undefined
  for (const [host, data] of followers) {
    const plot = document.querySelector(`.st-key-${data.figure} .js-plotly-plot`)
    if (!plot?._fullLayout) continue
    moveFan(plot, data, latest)
    host.dataset.moves = String(Number(host.dataset.moves ?? 0) + 1)
    host.dataset.tau = String(latest)
  }
}

// A drag may tell of several temperatures between two frames of the display: the last one is drawn.
document.addEventListener("temperature", ({ detail }) => {
  latest = detail
  frame ??= requestAnimationFrame(move)
})

export default function ({ parentElement, data }) {
  const host = parentElement.querySelector(".fan")
  followers.set(host, data)
  // Streamlit may clean up after an earlier run when a later one stands already.
  return () => { if (followers.get(host) === data) followers.delete(host) }
}
