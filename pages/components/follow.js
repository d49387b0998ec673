// Moves the dots of a standing figure while the temperature scrub is dragged. The scrub's `input` event crosses
// its shadow root, and its readout holds the temperature that it snapped to. The dots' own elements are moved,
// because a Plotly update draws the whole figure anew, which is too slow for a drag.
export function softmax(logits, tau) {
  const peak = Math.max(...logits)
  const weights = logits.map((logit) => Math.exp((logit - peak) / tau))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

const along = (corners, axis, shares) => shares.reduce((sum, share, k) => sum + share * corners[k][axis], 0)

function dotsOf(plot, trace) {
  const groups = [...plot.querySelectorAll(".scatterlayer > .trace")]
  return groups.find((group) => group.__data__?.[0]?.trace?.index === trace)?.querySelectorAll("path.point") ?? []
}

export default function ({ parentElement, data }) {
  const host = parentElement.querySelector(".follow")
  const { figure, trace, perturbed, corners } = data
  let frame
  const move = (tau) => {
    frame = undefined
    const plot = document.querySelector(`.st-key-${figure} .js-plotly-plot`)
    if (!plot?._fullLayout) return
    const { xaxis, yaxis } = plot._fullLayout
    dotsOf(plot, trace).forEach((dot, index) => {
      const shares = softmax(perturbed[index], tau)
      dot.setAttribute("transform",
        `translate(${xaxis.d2p(along(corners, 0, shares))},${yaxis.d2p(along(corners, 1, shares))})`)
    })
    host.dataset.moves = String(Number(host.dataset.moves ?? 0) + 1)
    host.dataset.tau = String(tau)
  }
  const listen = (event) => {
    const range = event.composedPath()[0]
    if (range?.dataset?.testid !== "scrub-range") return
    const readout = range.getRootNode().querySelector(".value")
    frame ??= requestAnimationFrame(() => move(Number(readout.textContent)))
  }
  document.addEventListener("input", listen)
  return () => { document.removeEventListener("input", listen); cancelAnimationFrame(frame) }
}
