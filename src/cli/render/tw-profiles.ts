import type { z } from 'zod'
import type { profileList, profileShow } from '../../core/tw/operations.ts'
import type { NodeProfileView } from '../../core/tw/queries.ts'
import type { View } from '../terminal.ts'
import { mark, type Mark } from './style.ts'
import { fields, table } from './table.ts'
import { count } from './text.ts'

type Profiles = z.output<typeof profileList.output>
export type ProfileView = z.output<typeof profileShow.output>

const MARKS: Record<NodeProfileView['state'], Mark> = {
  waiting: 'off',
  draining: 'busy',
  writing: 'busy',
  set: 'ok',
  compared: 'warn',
  failed: 'bad',
  held: 'warn',
}

const differsText = (differs: Record<string, string>): string =>
  Object.entries(differs)
    .map(([name, actual]) => `${name} is ${actual}`)
    .join(', ')

/** `● latency v2`, `▲ latency v2 drifted: vm.swappiness is 60`; null: it is in none. */
export function profileText(view: View, profile: NodeProfileView | null): string | null {
  return profile === null ? null : stateText(view, profile, `${profile.profile} v${profile.version}`)
}

function stateText(view: View, { state, why, differs }: Pick<NodeProfileView, 'state' | 'why' | 'differs'>, of: string): string {
  const found = differsText(differs)
  if (state === 'set') return found === '' ? mark(view, 'ok', of) : mark(view, 'warn', `${of} drifted: ${found}`)
  const because = [why, found].filter((text) => text !== '').join('; ')
  return mark(view, MARKS[state], `${of} ${state}${because === '' ? '' : `: ${because}`}`)
}

export function renderProfiles(view: View, profiles: Profiles): string {
  const number = (title: string, of: (counts: Profiles[number]['counts']) => number) =>
    ({ title, align: 'right', cell: ({ counts }: Profiles[number]) => of(counts) }) as const
  return table(
    view,
    profiles,
    [
      { title: 'profile', cell: ({ profile, version }) => `${profile} v${version}` },
      { title: 'settings', cell: ({ settings }) => settings, align: 'right' },
      { title: 'drain', cell: ({ drains }) => (drains ? 'yes' : 'no') },
      number('nodes', ({ nodes }) => nodes),
      number('as it says', ({ set }) => set),
      number('drifted', ({ drifted }) => drifted),
      number('only compared', ({ compared }) => compared),
      number('failed', ({ failed, held }) => failed + held),
      number('to come', ({ underWay, waiting }) => underWay + waiting),
    ],
    'No host profiles. `muster tw profile set FILE` keeps one.',
  )
}

export function renderProfile(view: View, it: ProfileView): string {
  const pairs = (of: Record<string, string>): string | null =>
    Object.entries(of)
      .map(([name, value]) => `${name}=${value}`)
      .join('  ') || null
  const head = fields(view, [
    ['profile', `${it.profile} v${it.version}, by ${it.author}`],
    [
      'settings',
      Object.entries(it.settings)
        .map(([name, value]) => `${name} = ${value}`)
        .join('\n'),
    ],
    ['labels', pairs(it.labels)],
    ['drain', it.drains ? 'nodes are emptied before they are switched' : 'tasks stay while a node is switched'],
    ['nodes', `${it.counts.set} of ${count(it.counts.nodes, 'node')} as it says`],
  ])
  if (it.nodes.length === 0) return head
  const rows = table(view, it.nodes, [
    { title: 'node', cell: ({ node }) => node },
    { title: 'state', cell: (row) => stateText(view, row, `v${row.version}`) },
  ])
  return `${head}\n\n${rows}`
}
