// Grey images as ink on paper: a byte is how much of the text's colour lies on the page, so that both themes read.
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))

// A grid with one canvas pixel per image pixel, and gaps. The browser enlarges it, whatever the screen's density.
function drawPictures(canvas, bytes, [height, width], columns) {
  const gap = Math.max(1, Math.round(width / 14)), size = height * width
  // This also clears the canvas and undoes what was set below.
  canvas.width = columns * (width + gap) - gap
  canvas.height = Math.ceil(bytes.length / size / columns) * (height + gap) - gap
  const context = canvas.getContext("2d"), ink = context.createImageData(canvas.width, canvas.height)
  bytes.forEach((value, index) => {
    const image = Math.floor(index / size), pixel = index % size
    const x = (image % columns) * (width + gap) + pixel % width
    const y = Math.floor(image / columns) * (height + gap) + Math.floor(pixel / width)
    ink.data[4 * (y * canvas.width + x) + 3] = value
  })
  context.putImageData(ink, 0, 0)
  // So far the ink is black and its opacity is right: the colour, however CSS writes it, replaces the black.
  context.globalCompositeOperation = "source-in"
  context.fillStyle = getComputedStyle(canvas).color
  context.fillRect(0, 0, canvas.width, canvas.height)
}
