// How a picture of SVG is saved as a file.
const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "opacity",
  "paint-order", "font-family", "font-size", "font-weight"]

// The picture as a file: its own SVG, with the styles that it has on the screen written into it.
function savePng(svg, name) {
  const copy = svg.cloneNode(true), { width, height } = svg.getBoundingClientRect()
  const nodes = [...svg.querySelectorAll("*")]
  copy.querySelectorAll("*").forEach((node, index) => {
    const style = getComputedStyle(nodes[index])
    for (const property of STYLES) node.style.setProperty(property, style.getPropertyValue(property))
  })
  copy.setAttribute("width", width)
  copy.setAttribute("height", height)
  const image = new Image()
  image.onload = () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height })
    const context = canvas.getContext("2d")
    context.fillStyle = getComputedStyle(svg).getPropertyValue("--st-background-color")
    context.fillRect(0, 0, canvas.width, canvas.height)
    context.drawImage(image, 0, 0, canvas.width, canvas.height)
    Object.assign(document.createElement("a"), { download: `${name}.png`, href: canvas.toDataURL() }).click()
  }
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`
}
