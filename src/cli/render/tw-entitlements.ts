import { formatSize } from '../../core/kernel/units.ts'
import type { EntitlementView } from '../../core/tw/queries.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { fields, table } from './table.ts'
import { count } from './text.ts'
import { cpuText } from './tw-words.ts'

interface Amounts {
  cpuMilli: number | null
  memoryBytes: number | null
  gpus: Record<string, number>
}

/** `4 cpu, 8GiB, 2 T4`; what is null is without limit. */
export function amountsText(amounts: Amounts): string {
  const { cpuMilli, memoryBytes, gpus } = amounts
  return [
    cpuMilli === null ? 'any cpu' : `${cpuText(cpuMilli)} cpu`,
    memoryBytes === null ? 'any memory' : formatSize(memoryBytes),
    ...Object.entries(gpus).map(([model, milli]) => `${milli / 1000} ${model === '*' ? 'GPU of any model' : model}`),
  ].join(', ')
}

function coverText(view: View, it: EntitlementView): string {
  if (it.isCovered) return mark(view, 'ok', it.buffer === 'none' ? 'covered' : `covered without the largest ${it.buffer}`)
  const where = it.buffer === 'none' ? 'the fleet' : `the fleet without its largest ${it.buffer}`
  return mark(view, 'bad', `more is guaranteed than ${where} has (${it.lacking})`)
}

export function renderEntitlements(view: View, list: readonly EntitlementView[]): string {
  return table(
    view,
    list,
    [
      { title: 'name', cell: (it) => it.name },
      { title: 'guaranteed', cell: (it) => amountsText(it.guaranteed) },
      { title: 'used', cell: (it) => amountsText(it.used) },
      { title: 'tasks', cell: (it) => it.tasks, align: 'right' },
      { title: 'quota', cell: (it) => (it.quota === null ? '-' : amountsText(it.quota)) },
      { title: 'buffer', cell: (it) => it.buffer },
      { title: 'best effort', cell: (it) => amountsText(it.idle), isWide: true },
      { title: 'cover', cell: (it) => coverText(view, it), canShrink: true },
    ],
    'Nobody is guaranteed anything: all capacity is shared. `muster tw entitlement set NAME --cpu 8 --memory 16GiB` changes that.',
  )
}

export function renderEntitlement(view: View, it: EntitlementView): string {
  return fields(view, [
    ['name', it.name],
    ['guaranteed', amountsText(it.guaranteed)],
    ['used', `${amountsText(it.used)} by ${count(it.tasks, 'task')}`],
    ['best effort', amountsText(it.idle)],
    ['quota', it.quota === null ? 'none' : amountsText(it.quota)],
    ['buffer', it.buffer],
    ['cover', coverText(view, it)],
    ['changed', `by ${it.author} at ${new Date(it.changedAtMs).toISOString()}`],
  ])
}
