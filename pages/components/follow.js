// Moves the dots of a standing figure while the temperature scrub is dragged. The scrub's `input` event crosses
// its shadow root, and its readout holds the temperature that it snapped to.
export function softmax(logits, tau) {
  const peak = Math.max(...logits)
  const weights = logits.map((logit) => Math.exp((logit - peak) / tau))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

const along = (corners, axis) => (shares) => shares.reduce((sum, share, k) => sum + share * corners[k][axis], 0)

export default function ({ parentElement, data }) {
  const host = parentElement.querySelector(".follow")
  const { figure, trace, perturbed, corners } = data
  let frame
  const move = (readout) => {
    frame = undefined
    const plot = document.querySelector(`.st-key-${figure} .js-plotly-plot`)
    if (!plot?.data?.[trace]) return
    const samples = perturbed.map((logits) => softmax(logits, Number(readout.textContent)))
    window.Plotly.restyle(plot, { x: [samples.map(along(corners, 0))], y: [samples.map(along(corners, 1))] }, [trace])
    host.dataset.moves = String(Number(host.dataset.moves ?? 0) + 1)
  }
  const listen = (event) => {
    const range = event.composedPath()[0]
    if (range?.dataset?.testid !== "scrub-range") return
    frame ??= requestAnimationFrame(() => move(range.getRootNode().querySelector(".value")))
  }
  document.addEventListener("input", listen)
  return () => { document.removeEventListener("input", listen); cancelAnimationFrame(frame) }
}
