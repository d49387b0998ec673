// A structure's picture, by its kind. Each lays out what stands still and hands back how high it is, and what moves
// it to other values. Blue fills by the relaxed value; an orange outline stands where the hard structure is.
const TOP = 30

// What a letter of a name takes, and a name in this room.
const LETTER = 7.2
function cut(name, room) {
  const letters = Math.floor(room / LETTER)
  return name.length <= letters ? name : letters > 2 ? `${name.slice(0, letters - 1)}…` : ""
}

const set = (node, attributes) => { for (const name in attributes) node.setAttribute(name, attributes[name]) }
const diamond = (x, y, r) => `M${x} ${y - r} L${x + r} ${y} L${x} ${y + r} L${x - r} ${y} Z`

// What the pointer is told of an entry.
function titled(node, name) {
  const title = element(node, "title")
  return (value) => { title.textContent = `${name}: ${value.toFixed(3)}` }
}

const HARD = {
  subset: (svg, x, y) => element(svg, "rect", { class: "hard", x, y: y - 5, width: 10, height: 10, "stroke-width": 1.8 }),
  permutation: (svg, x, y) => element(svg, "circle", { class: "hard", cx: x + 5, cy: y, r: 5 }),
  tree: (svg, x, y) =>
    element(svg, "rect", { class: "hard", x: x - 4, y: y - 4, width: 18, height: 8, rx: 4, "stroke-width": 1.8 }),
}

// Hands back where the temperature stands.
function legend(svg, kind, width) {
  element(svg, "rect", { class: "value", x: 0, y: 4, width: 10, height: 10 })
  const relaxed = element(svg, "text", { class: "note", x: 15, y: 13 }, "relaxed")
  const x = 15 + relaxed.getComputedTextLength() + 20
  HARD[kind](svg, x, 9)
  element(svg, "text", { class: "note", x: x + (kind === "tree" ? 19 : 15), y: 13 }, "hard, same noise")
  return element(svg, "text", { class: "tau", x: width, y: 13, "text-anchor": "end" })
}

// Bars, of a scale that holds the largest value at any temperature.
function subsetPicture(svg, { labels, frames, hard }, width) {
  const left = 18, high = 150, below = 34
  const step = (width - left) / labels.length, bar = Math.max(1.5, Math.min(step * 0.66, 56))
  const top = Math.max(1, ...frames.flat()), floor = TOP + 14 + high
  // Many bars are narrow: their names would not be read, and their boxes must not touch.
  const named = step >= 2.5 * LETTER, pad = Math.min(2.5, (step - bar) / 4)
  const y = (value) => floor - high * value / top
  for (const level of [0, 1]) {
    element(svg, "line", { class: "base", x1: left, x2: width, y1: y(level), y2: y(level) })
    element(svg, "text", { class: "note", x: left - 6, y: y(level) + 4, "text-anchor": "end" }, String(level))
  }
  const entries = labels.map((name, k) => {
    const x = left + step * (k + 0.5), wins = Boolean(hard[k])
    const fill = element(svg, "rect", { class: "value", x: x - bar / 2, width: bar })
    if (wins) {
      // A box of height 1 around the bar: what a hard member has.
      element(svg, "rect", { class: "hard", x: x - bar / 2 - pad, width: bar + 2 * pad, y: y(1),
        height: y(0) - y(1), "stroke-width": Math.min(1.8, step / 6), "data-hard": k })
      element(svg, "path", { class: "mark", d: diamond(x, floor + 9, Math.min(4.5, step / 2)) })
    }
    element(svg, "text", { class: wins ? "name strong" : "name", x, y: floor + 30, "text-anchor": "middle" },
      named ? cut(name, step) : "")
    const number = step < 27 ? undefined : element(svg, "text", { class: "number", x, "text-anchor": "middle" })
    return { fill, number, tell: titled(fill, name) }
  })
  const move = (values) => entries.forEach(({ fill, number, tell }, k) => {
    const reach = Math.max(values[k], 0)
    set(fill, { y: y(reach), height: Math.max(floor - y(reach), 0.75) })
    number?.setAttribute("y", y(reach) - 5)
    if (number) number.textContent = values[k].toFixed(2)
    tell(values[k])
  })
  return { height: floor + below, move }
}

// A square matrix of cells. Only small ones have room for numbers, which large ones do not need.
function permutationPicture(svg, { labels, hard }, width) {
  const n = labels.length / 2, longest = Math.max(...labels.slice(0, n).map((name) => name.length))
  const left = Math.min(84, 12 + LETTER * longest)
  const cell = Math.min(62, (width - left) / n), top = TOP + 22
  const start = left + (width - left - n * cell) / 2, middle = (place) => (place + 0.5) * cell
  labels.forEach((name, place) => {
    const row = place < n
    element(svg, "text", row ? { class: "name", x: start - 8, y: top + middle(place) + 4, "text-anchor": "end" }
      : { class: "name", x: start + middle(place - n), y: top - 8, "text-anchor": "middle" }, cut(name, row ? 76 : cell))
  })
  const entries = hard.map((one, index) => {
    const row = Math.floor(index / n), column = index % n
    const box = { x: start + column * cell, y: top + row * cell, width: cell, height: cell }
    element(svg, "rect", { class: "cell", ...box })
    const fill = element(svg, "rect", { class: "value", x: box.x + 1, y: box.y + 1, width: cell - 2, height: cell - 2 })
    if (one) {
      const ring = { cx: box.x + cell / 2, cy: box.y + cell / 2, r: cell * 0.36 }
      element(svg, "circle", { class: "halo", ...ring })
      element(svg, "circle", { class: "hard", ...ring, "data-hard": index })
    }
    const number = n > 4 ? undefined : element(svg, "text", { class: "inside", x: box.x + cell / 2,
      y: box.y + cell / 2 + 4.5, "text-anchor": "middle" })
    return { fill, number, tell: titled(fill, `${labels[row]} → ${labels[n + column]}`) }
  })
  const move = (values) => entries.forEach(({ fill, number, tell }, index) => {
    set(fill, { "fill-opacity": Math.max(values[index], 0).toFixed(4) })
    if (number) number.textContent = values[index].toFixed(2)
    number?.classList.toggle("over", values[index] > 0.9)
    tell(values[index])
  })
  return { height: top + n * cell + 6, move }
}

// Nodes on a circle. A hard edge is a tube, which its relaxed value fills; the others lie below the tubes.
function treePicture(svg, { labels, edges, hard }, width) {
  const radius = Math.min(118, width / 2 - 44), wide = 9
  const at = labels.map((_, node) => {
    const angle = 2 * Math.PI * (node / labels.length - 0.25)
    return [width / 2 + radius * Math.cos(angle), TOP + 24 + radius + radius * Math.sin(angle)]
  })
  const line = (parent, [one, other], attributes) =>
    element(parent, "line", { x1: at[one][0], y1: at[one][1], x2: at[other][0], y2: at[other][1], ...attributes })
  const order = edges.map((_, index) => index).sort((one, other) => hard[one] - hard[other])
  const entries = []
  for (const index of order) {
    const edge = edges[index], name = edge.map((node) => labels[node]).join(" – ")
    if (hard[index]) {
      line(svg, edge, { class: "tube", "stroke-width": wide + 7, "data-hard": index })
      line(svg, edge, { class: "bore", "stroke-width": wide + 3 })
    }
    const fill = line(svg, edge, { class: "edge" })
    entries[index] = { fill, tell: titled(fill, name) }
  }
  labels.forEach((full, node) => {
    const name = cut(full, 80), room = Math.max(30, 14 + LETTER * name.length), [x, y] = at[node]
    element(svg, "rect", { class: "node", x: x - room / 2, y: y - 15, width: room, height: 30, rx: 15 })
    element(svg, "text", { class: "name", x, y: y + 4.5, "text-anchor": "middle" }, name)
  })
  const move = (values) => entries.forEach(({ fill, tell }, index) => {
    const share = Math.min(Math.max(values[index], 0), 1)
    set(fill, { "stroke-width": (wide * share).toFixed(3), "stroke-opacity": (0.35 + 0.65 * share).toFixed(3) })
    tell(values[index])
  })
  return { height: TOP + 2 * radius + 46, move }
}

const PICTURES = { subset: subsetPicture, permutation: permutationPicture, tree: treePicture }
