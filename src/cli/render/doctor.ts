import type { Finding } from '../doctor.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { table } from './table.ts'
import { count } from './text.ts'

const MARKS = { ok: ['ok', 'ok'], lesser: ['warn', 'missing'], broken: ['bad', 'broken'] } as const

/** What was looked at, then what each absence costs. */
export function renderDoctor(findings: readonly Finding[], view: View): string {
  const overview = table(view, findings, [
    { title: 'what', cell: ({ name }) => name },
    { title: 'state', cell: ({ state }) => mark(view, MARKS[state][0], MARKS[state][1]) },
    { title: 'found', cell: ({ found }) => found, canShrink: true },
  ])
  const missing = findings.filter(({ state }) => state !== 'ok')
  if (missing.length === 0) return `${overview}\n\nEverything is there.`
  const costs = missing.map(({ name, state, cost }) => `  ${mark(view, MARKS[state][0], name)}: ${cost}`)
  return [overview, '', `${count(missing.length, 'thing')} missing, and what that costs:`, ...costs].join('\n')
}
