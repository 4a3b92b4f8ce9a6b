import type { View } from '../terminal.ts'
import { paint } from './style.ts'
import { table } from './table.ts'

export interface PlaceView {
  name: string
  key: string
  token: number
  lease: string
}

export interface MemberView {
  id: string
  data: string
  /** create_revision: the order of joining */
  joined: number
  /** mod_revision: when its data changed last */
  changed: number
  lease: string
}

export interface LeaderView {
  name: string
  value: string
  key: string
  token: number
}

/** `leading: boss, token 12, lease 694d…` */
export function renderPlace(view: View, what: string, { name, token, lease }: PlaceView): string {
  return `${paint(view, 'green', what)} ${paint(view, 'bold', name)}, token ${token}, lease ${lease}`
}

export function renderMembers(view: View, members: readonly MemberView[]): string {
  return table(
    view,
    members,
    [
      { title: 'id', cell: ({ id }) => id },
      { title: 'data', cell: ({ data }) => data, canShrink: true },
      { title: 'joined', cell: ({ joined }) => joined, align: 'right' },
      { title: 'changed', cell: ({ changed }) => changed, align: 'right', isWide: true },
      { title: 'lease', cell: ({ lease }) => lease, isWide: true },
    ],
    'Nobody is here.',
  )
}

export function renderMemberEvent(
  view: View,
  { what, member }: { what: 'here' | 'joined' | 'changed' | 'left'; member: MemberView },
): string {
  const color = what === 'left' ? 'yellow' : 'green'
  return `${paint(view, color, what.padEnd(7))} ${member.id}${member.data === '' ? '' : `  ${member.data}`}`
}

export function renderLeader(view: View, { value, key, token }: LeaderView): string {
  return `${paint(view, 'bold', value === '' ? '(no value)' : value)}  token ${token}  ${key}`
}
