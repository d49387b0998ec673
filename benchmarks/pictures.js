// Runs in every measured page before its own scripts, and notes when a picture last changed: the same rule for every app.
(() => {
  const PICTURE = [".js-plotly-plot",
    ...["scrub", "player", "reel", "cells", "sheet"].map((name) => `[data-testid='${name}']`)].join();
  const noted = { pressed: 0, changed: 0 }; // milliseconds since the navigation began

  const steps = { pictures: [], words: [] }; // of a live run, at each change: [milliseconds, step]

  const holdsPicture = (node) => node.matches?.(PICTURE) || node.querySelector?.(PICTURE);
  const changesPicture = ({ target, addedNodes }) =>
    (target.closest ? target : target.parentElement)?.closest(PICTURE) || [...addedNodes].some(holdsPicture);
  const note = (trace, step) => {
    if (step !== undefined && trace.at(-1)?.[1] !== Number(step)) trace.push([performance.now(), Number(step)]);
  };
  const noteStep = ({ target }) => {
    const element = target.closest ? target : target.parentElement;
    const told = element?.closest("[data-testid='stProgress']")?.textContent.match(/step ([\d,]+) of/)?.[1];
    note(steps.words, told?.replaceAll(",", ""));
    if (element?.matches("[data-testid='reel']")) note(steps.pictures, element.dataset.step);
  };
  const observer = new MutationObserver((records) => {
    if (records.some(changesPicture)) noted.changed = performance.now();
    records.forEach(noteStep);
  });
  const observe = (root) =>
    observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });

  // A MutationObserver stops at a shadow root, where the components draw: follow each one from its birth.
  const attachShadow = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) {
    const root = attachShadow.call(this, options);
    observe(root);
    return root;
  };
  observe(document);
  // Not "click": a key that presses a button is followed by one, and the key is what was pressed.
  for (const kind of ["keydown", "pointerup"])
    addEventListener(kind, (event) => { noted.pressed = event.timeStamp; }, true);

  const plots = (root = document) => [...root.querySelectorAll("*")].flatMap((element) => [
    ...(element.matches(".js-plotly-plot") ? [element] : []),
    ...(element.shadowRoot ? plots(element.shadowRoot) : []),
  ]);

  window.benchmark = {
    noted,
    steps,
    // The time of the last change of a picture after `since`, once `quiet` milliseconds passed without another.
    settled: async (since, quiet, limit = 30000) => {
      const began = performance.now();
      while (noted.changed <= since || performance.now() - noted.changed < quiet) {
        if (performance.now() - began > limit) throw new Error(`no picture came to rest within ${limit} ms`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return noted.changed;
    },
    // How many plots are new nodes since the last call: a kept plot keeps the property that it was given.
    markNewPlots: () => plots().filter((plot) => !plot.benchmarkSeen && (plot.benchmarkSeen = true)).length,
  };
})();
