import type { z } from 'zod'
import type { agentUpgradeShow } from '../../core/tw/operations.ts'
import type { View } from '../terminal.ts'
import { table } from './table.ts'
import { count } from './text.ts'

export type UpgradeView = z.output<typeof agentUpgradeShow.output>

/** One line for all of it, then a row a wave. */
export function renderUpgrade(view: View, { upgrade, folder, version, state, why, author, waves }: UpgradeView): string {
  const agents = waves.reduce((sum, wave) => sum + wave.nodes, 0)
  const to = version ?? folder ?? 'what is installed'
  const head = `upgrade ${upgrade} of ${count(agents, 'agent')} to ${to}, by ${author}: ${state}${why === '' ? '' : `: ${why}`}`
  const number = (title: string, cell: (wave: UpgradeView['waves'][number]) => number) =>
    ({ title, align: 'right', cell: (wave: UpgradeView['waves'][number]) => String(cell(wave)) }) as const
  const rows = table(view, waves, [
    { title: 'wave', cell: (wave) => String(waves.indexOf(wave) + 1) },
    number('agents', (wave) => wave.nodes),
    number('done', (wave) => wave.done),
    number('under way', (wave) => wave.underWay),
    number('waiting', (wave) => wave.waiting),
    number('failed', (wave) => wave.failed),
  ])
  return `${head}\n\n${rows}`
}
