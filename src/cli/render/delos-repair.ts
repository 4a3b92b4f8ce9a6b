import type { LogRepair } from '../../server/delos/repair-log.ts'
import { count } from './text.ts'

/** What can no longer be read of a log, and what becomes of it. */
export function renderRepair({ log, dir, name, gaps, begins, ends, restored, dropped, lost, how, damaged, stateEnd }: LogRepair): string {
  if (how === 'nothing') return `every record of the log ${log} of ${name} can be read: nothing to do`
  const lines = gaps.map(({ from, to, file, offset }) =>
    to < from
      ? `${file}, offset ${offset}: damaged, with no entry in it`
      : `${file}, offset ${offset}: ${rangeText(from, to)} cannot be read`,
  )
  for (const { from, to } of restored) lines.push(`${rangeText(from, to)} is taken from the archive`)
  if (dropped !== null)
    lines.push(`${rangeText(dropped.from, dropped.to)} leaves the log; the state holds what it did, up to position ${stateEnd}`)
  if (lost === null) lines.push('Nothing that was acknowledged is lost.')
  else
    lines.push(
      `LOST: ${rangeText(lost.from, lost.to)}, ${count(lost.to - lost.from + 1, 'position')} that were acknowledged: neither an archive nor the state has ${lost.from}, and a hole is not crossed`,
    )
  lines.push(ends < begins ? `the log is empty then, and goes on at ${begins}` : `the log then has positions ${begins} to ${ends}`)
  if (damaged === null) return [...lines, 'Nothing was changed yet.'].join('\n')
  return [...lines, `Done in ${dir}. What was there is kept: ${damaged.join(', ')}`].join('\n')
}

const rangeText = (from: number, to: number): string => (from === to ? `position ${from}` : `positions ${from} to ${to}`)
