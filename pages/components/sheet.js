// A sheet of grey images. Streamlit runs this again for new data and for a new theme: both redraw in place.
export default function ({ parentElement, data }) {
  const host = parentElement.querySelector(".sheet")
  host.setAttribute("aria-label", data.alt)
  drawPictures(host, bytesOf(data.images), data.shape, data.columns)
  host.dataset.drawn = String(Number(host.dataset.drawn ?? 0) + 1)
}
