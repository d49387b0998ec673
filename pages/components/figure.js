// Draws a Plotly figure in place: `Plotly.react` on one element, so that no update blanks it or loses the zoom.
let plotly

function loadPlotly(url) {
  plotly ??= new Promise((resolve, reject) => {
    if (window.Plotly) return resolve(window.Plotly)
    const script = document.createElement("script")
    script.src = url
    script.onload = () => resolve(window.Plotly)
    script.onerror = () => { plotly = undefined; reject(new Error("Plotly.js did not load")) }
    document.head.append(script)
  })
  return plotly
}

// Colours that follow the page's theme. The figure itself names only the colours of its marks.
function themed(layout, host) {
  const style = getComputedStyle(host)
  const colour = (name) => style.getPropertyValue(name).trim()
  const text = colour("--st-text-color"), rule = colour("--st-border-color"), paper = colour("--st-background-color")
  const out = {
    ...layout, autosize: true, uirevision: "kept", paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { ...layout.font, color: text, family: colour("--st-font") },
    hoverlabel: { bgcolor: paper, bordercolor: rule, font: { color: text } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: rule, activecolor: text },
  }
  for (const key of Object.keys(layout).filter((k) => /^[xy]axis/.test(k)))
    out[key] = { gridcolor: rule, zerolinecolor: rule, linecolor: rule, tickcolor: rule, ...layout[key] }
  // A finger scrolls the page; a mouse may zoom.
  if (matchMedia("(pointer: coarse)").matches) out.dragmode = false
  return out
}

// A picture out of sight waits until it is about to be seen: a page of six redraws the two that are looked at.
const visible = new WeakSet()
const waiting = new WeakMap()
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) { visible.delete(target); continue }
    visible.add(target)
    waiting.get(target)?.()
  }
}, { rootMargin: "40% 0%" })

async function draw(host, data) {
  waiting.delete(host)
  const failed = host.nextElementSibling
  const config = {
    displaylogo: false, responsive: true,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    toImageButtonOptions: { format: "png", scale: 2, filename: data.name },
  }
  try {
    const Plotly = await loadPlotly(data.plotly)
    if (!host.classList.contains("js-plotly-plot")) host.dataset.mounts = String(Number(host.dataset.mounts ?? 0) + 1)
    await Plotly.react(host, data.figure.data, themed(data.figure.layout, host), config)
    failed.textContent = ""
    host.dataset.drawn = String(Number(host.dataset.drawn ?? 0) + 1)
  } catch (error) {
    failed.textContent = `This picture could not be drawn: ${error.message}.`
  }
}

export default function ({ parentElement, data }) {
  const host = parentElement.querySelector(".figure")
  host.style.minHeight = `${data.figure.layout.height}px`
  host.setAttribute("aria-label", data.alt)
  waiting.set(host, () => draw(host, data))
  if (visible.has(host)) waiting.get(host)()
  else sight.observe(host)
  return atTheEnd(host, () => {
    sight.unobserve(host)
    window.Plotly?.purge(host)
  })
}
