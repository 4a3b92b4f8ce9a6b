/** `> 1%` as rules have it. Apart from their schema, so that a page has it without zod. */
export interface Comparison {
  op: '>' | '>=' | '<' | '<='
  value: number
}

/** `"> 1%"` → `{op: '>', value: 0.01}`. */
export function parseComparison(text: string): Comparison {
  const match = /^\s*(>=|<=|>|<)\s*(-?[\d.]+)\s*(%?)\s*$/.exec(text)
  return { op: (match?.[1] ?? '>') as Comparison['op'], value: Number(match?.[2] ?? 0) / (match?.[3] === '%' ? 100 : 1) }
}

export function holds({ op, value }: Comparison, measured: number): boolean {
  switch (op) {
    case '>':
      return measured > value
    case '>=':
      return measured >= value
    case '<':
      return measured < value
    case '<=':
      return measured <= value
  }
}
