// The trick's last step, for the components that draw between two answers of the server. A test holds it
// against gumbel_core.
function softmax(logits, tau) {
  const peak = Math.max(...logits)
  const weights = logits.map((logit) => Math.exp((logit - peak) / tau))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

