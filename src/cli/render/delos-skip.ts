import type { View } from '../terminal.ts'
import { table } from './table.ts'

/** What a server answers to `log/skip`. */
export interface SkipAnswer {
  position: number
  reason: string
  entry: {
    timeMs: number
    proposer: string | null
    commands: { kind: string; key: string | null; user: string; bytes: number }[]
  } | null
  servers: { name: string; applied: number | null; does: string }[]
  version: number | null
  wasSkipped: boolean
}

const COMMANDS_MAX = 20

export function renderSkip({ position, entry, servers, version, wasSkipped }: SkipAnswer, view: View): string {
  const rows = table(view, servers, [
    { title: 'server', cell: ({ name }) => name },
    { title: 'applied', cell: ({ applied }) => applied ?? '?', align: 'right' },
    { title: 'position ' + String(position), cell: ({ does }) => does },
  ])
  const end = wasSkipped
    ? `nothing to do: position ${position} is skipped already`
    : version === null
      ? 'Nothing was changed yet.'
      : `position ${position} is skipped, by every server and for good (version ${version})`
  return `${entryText(entry)}\n\n${rows}\n\n${end}`
}

function entryText(entry: SkipAnswer['entry']): string {
  if (entry === null) return 'what stands there is not on the server that was asked, or cannot be read'
  const { timeMs, proposer, commands } = entry
  const from = proposer === null ? 'a server that did not say who it is' : `server ${proposer}`
  const lines = commands.slice(0, COMMANDS_MAX).map(({ kind, key, user, bytes }) => {
    const of = user === '' ? '' : ` of ${user}`
    return `  ${kind}${key === null ? '' : ` ${key}`}${of}, ${bytes} bytes`
  })
  const more = commands.length > COMMANDS_MAX ? [`  and ${commands.length - COMMANDS_MAX} more`] : []
  return [`proposed by ${from} at ${new Date(timeMs).toISOString()}:`, ...lines, ...more].join('\n')
}
