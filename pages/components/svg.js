// An element of an SVG picture, at the end of its parent.
const SVG = "http://www.w3.org/2000/svg"

function element(parent, name, attributes = {}, content = "") {
  const node = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
  node.textContent = content
  parent.append(node)
  return node
}

