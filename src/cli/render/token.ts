import type { z } from 'zod'
import type { tokenList } from '../../core/delos/operations.ts'
import { formatDuration } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { table } from './table.ts'

export function renderTokens(tokens: z.output<typeof tokenList.output>['tokens'], nowMs: number, view: View): string {
  return table(
    view,
    tokens,
    [
      { title: 'name', cell: (row) => row.name },
      { title: 'role', cell: (row) => row.role },
      { title: 'id', cell: (row) => row.id },
      { title: 'by', cell: (row) => row.author },
      { title: 'age', cell: (row) => formatDuration(Math.max(0, nowMs - row.issuedAt)), align: 'right' },
    ],
    'No tokens. Make one with `muster token issue NAME`.',
  )
}
