/**
 * How many nodes belong to each wave. `1,10%,100%`: one, then as many as make it a tenth of all, then all. Each wave has one node at least,
 * and the last one takes the rest, whatever it says.
 * @returns sizes, which add up to `nodes`; null when the text is no such list
 */
export function waveSizes(text: string, nodes: number): number[] | null {
  const words = text.split(',').map((word) => word.trim())
  const sizes: number[] = []
  let before = 0
  for (const [i, word] of words.entries()) {
    const [, digits, percent] = /^(\d+)(%?)$/.exec(word) ?? []
    if (digits === undefined || Number(digits) === 0) return null
    const wanted = percent === '%' ? Math.ceil((nodes * Math.min(100, Number(digits))) / 100) : Number(digits)
    const upTo = i === words.length - 1 ? nodes : Math.min(nodes, Math.max(before + 1, wanted))
    if (upTo > before) sizes.push(upTo - before)
    before = Math.max(before, upTo)
  }
  return sizes
}
