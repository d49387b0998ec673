// Frames known at some temperatures, and what lies between them while the temperature scrub is dragged.
const mixed = (from, to, share) =>
  Array.isArray(from) ? from.map((entry, index) => mixed(entry, to[index], share)) : from + share * (to - from)

// The frame of this temperature: between two frames by its logarithm, and beyond the grid its last frame.
export function between(temperatures, frames, tau) {
  const next = temperatures.findIndex((grid) => grid >= tau)
  if (next === -1) return frames[frames.length - 1]
  if (next === 0) return frames[0]
  const low = temperatures[next - 1], high = temperatures[next]
  return mixed(frames[next - 1], frames[next], Math.log(tau / low) / Math.log(high / low))
}

// A drag may tell of several temperatures between two frames of the display: the last one is drawn.
function onTemperature(move) {
  let latest, frame
  document.addEventListener("temperature", ({ detail }) => {
    latest = detail
    frame ??= requestAnimationFrame(() => { frame = undefined; move(latest) })
  })
}
