// Moves the dots of a standing figure while the temperature scrub is dragged: the scrub's `temperature` event
// crosses its shadow root. The dots' own elements are moved, because a Plotly update draws the whole figure anew,
// which is too slow for a drag.
const along = (corners, axis, shares) => shares.reduce((sum, share, k) => sum + share * corners[k][axis], 0)

function dotsOf(plot, trace) {
  const groups = [...plot.querySelectorAll(".scatterlayer > .trace")]
  return groups.find((group) => group.__data__?.[0]?.trace?.index === trace)?.querySelectorAll("path.point") ?? []
}

// What follows, by host.
const followers = new Map()
let frame

function move(tau) {
  frame = undefined
  for (const [host, { figure, trace, perturbed, corners }] of followers) {
    const plot = document.querySelector(`.st-key-${figure} .js-plotly-plot`)
    if (!plot?._fullLayout) continue
    const { xaxis, yaxis } = plot._fullLayout
    dotsOf(plot, trace).forEach((dot, index) => {
      const shares = softmax(perturbed[index], tau)
      dot.setAttribute("transform",
        `translate(${xaxis.d2p(along(corners, 0, shares))},${yaxis.d2p(along(corners, 1, shares))})`)
    })
    host.dataset.moves = String(Number(host.dataset.moves ?? 0) + 1)
    host.dataset.tau = String(tau)
  }
}

document.addEventListener("temperature", ({ detail }) => { frame ??= requestAnimationFrame(() => move(detail)) })

export default function ({ parentElement, data }) {
  const host = parentElement.querySelector(".follow")
  followers.set(host, data)
  return atTheEnd(host, () => followers.delete(host))
}
