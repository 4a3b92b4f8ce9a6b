/** Lines that differ, with the unchanged ones around them. */
export interface Hunk {
  /** number of its first line in either text, from 1 */
  fromLine: number
  toLine: number
  lines: { sign: ' ' | '+' | '-'; text: string }[]
}

type Line = Hunk['lines'][number]

const CONTEXT_LINES = 3
/** Edits up to which the shortest way is looked for; texts that differ by more are shown as replaced. Bounds time and memory. */
const EDITS_MAX = 1000

/** What turns one text into another, line by line: the shortest edit script (Myers, "An O(ND) Difference Algorithm", 1986). */
export function lineDiff(from: string, to: string): Hunk[] {
  const [a, b] = [linesOf(from), linesOf(to)]
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1
  const same = (lines: string[]): Line[] => lines.map((text) => ({ sign: ' ', text }))
  const middle = shortestScript(a.slice(head, a.length - tail), b.slice(head, b.length - tail))
  return hunksOf([...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))])
}

export function countChanges(hunks: readonly Hunk[]): { added: number; removed: number } {
  const lines = hunks.flatMap((hunk) => hunk.lines)
  return { added: lines.filter(({ sign }) => sign === '+').length, removed: lines.filter(({ sign }) => sign === '-').length }
}

function linesOf(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

function shortestScript(a: readonly string[], b: readonly string[]): Line[] {
  const limit = Math.min(EDITS_MAX, a.length + b.length)
  /** reach[k + limit]: how far in `a` one gets on diagonal k */
  const reach = new Int32Array(2 * limit + 2)
  const steps: Int32Array[] = []
  for (let edits = 0; edits <= limit; edits += 1) {
    steps.push(reach.slice(limit - edits, limit + edits + 1))
    for (let k = -edits; k <= edits; k += 2) {
      const isDown = k === -edits || (k !== edits && at(reach, limit + k - 1) < at(reach, limit + k + 1))
      let x = isDown ? at(reach, limit + k + 1) : at(reach, limit + k - 1) + 1
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1
      reach[limit + k] = x
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, steps)
    }
  }
  return [...a.map((text) => ({ sign: '-' as const, text })), ...b.map((text) => ({ sign: '+' as const, text }))]
}

function walkBack(a: readonly string[], b: readonly string[], steps: readonly Int32Array[]): Line[] {
  const script: Line[] = []
  let [x, y] = [a.length, b.length]
  for (let edits = steps.length - 1; edits > 0; edits -= 1) {
    const before = steps[edits] ?? new Int32Array()
    const reached = (k: number): number => at(before, k + edits)
    const k = x - y
    const isDown = k === -edits || (k !== edits && reached(k - 1) < reached(k + 1))
    const [startX, startK] = isDown ? [reached(k + 1), k + 1] : [reached(k - 1), k - 1]
    const startY = startX - startK
    for (; x > startX + (isDown ? 0 : 1) && y > startY + (isDown ? 1 : 0); x -= 1, y -= 1) script.push({ sign: ' ', text: a[x - 1] ?? '' })
    script.push(isDown ? { sign: '+', text: b[y - 1] ?? '' } : { sign: '-', text: a[x - 1] ?? '' })
    ;[x, y] = [startX, startY]
  }
  for (; x > 0; x -= 1) script.push({ sign: ' ', text: a[x - 1] ?? '' })
  return script.toReversed()
}

function at(numbers: Int32Array, i: number): number {
  return numbers[i] ?? 0
}

function hunksOf(script: readonly Line[]): Hunk[] {
  const hunks: Hunk[] = []
  let [fromLine, toLine] = [1, 1]
  /** index in the script up to which lines are in a hunk */
  let shown = 0
  script.forEach((line, i) => {
    if (line.sign !== ' ') {
      const start = Math.max(shown, i - CONTEXT_LINES)
      const last = hunks.at(-1)
      const context = script.slice(start, i)
      if (last !== undefined && start === shown) last.lines.push(...context, line)
      else hunks.push({ fromLine: fromLine - context.length, toLine: toLine - context.length, lines: [...context, line] })
      shown = i + 1
    } else if (hunks.length > 0 && i === shown && trailing(hunks.at(-1)) < CONTEXT_LINES) {
      hunks.at(-1)?.lines.push(line)
      shown = i + 1
    }
    if (line.sign !== '+') fromLine += 1
    if (line.sign !== '-') toLine += 1
  })
  return hunks
}

function trailing(hunk: Hunk | undefined): number {
  const lines = hunk?.lines ?? []
  return lines.length - 1 - lines.findLastIndex(({ sign }) => sign !== ' ')
}
