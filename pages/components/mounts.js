// A component's life. Streamlit calls its default export again for every new data, with the same host element.
const standing = new WeakMap()
const lastRuns = new WeakMap()

// The object that stands behind a host element: made at its first run, and kept.
function onHost(host, Kind) {
  if (!standing.has(host)) standing.set(host, new Kind(host))
  return standing.get(host)
}

// What a run hands back to be called at its end. Streamlit may clean up after an earlier run when a later one stands
// already: only the last run's counts.
function atTheEnd(host, cleanUp) {
  const run = {}
  lastRuns.set(host, run)
  return () => { if (lastRuns.get(host) === run) cleanUp() }
}
