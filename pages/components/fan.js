// Moves the fan of a standing figure while the temperature scrub is dragged: the arrows of single estimates and
// of their mean. Their own elements are moved, because a Plotly update draws the whole figure anew, which is too
// slow for a drag. Tests hold where they go against NumPy, and against what Plotly draws there.

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

onTemperature((tau) => {
  for (const [host, data] of followers) {
    const plot = document.querySelector(`.st-key-${data.figure} .js-plotly-plot`)
    if (!plot?._fullLayout) continue
    moveFan(plot, data, tau)
    host.dataset.moves = String(Number(host.dataset.moves ?? 0) + 1)
    host.dataset.tau = String(tau)
  }
})

export default function ({ parentElement, data }) {
  const host = parentElement.querySelector(".fan")
  followers.set(host, data)
  // Streamlit may clean up after an earlier run when a later one stands already.
  return () => { if (followers.get(host) === data) followers.delete(host) }
}
