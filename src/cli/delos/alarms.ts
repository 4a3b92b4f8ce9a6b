import { ALARM_NAMES } from '../../core/delos/measure/names.ts'
import { ALARM_ACTION } from '../../core/delos/wire/messages.ts'
import type { StoreCall } from './store-command.ts'

export interface AlarmRow {
  /** name of the server that raised it, or its id */
  server: string
  alarm: string
}

export async function alarmsOf({ call, methods }: StoreCall): Promise<AlarmRow[]> {
  const effect = { effect: 'read' } as const
  const { alarms } = await call(methods['Maintenance/Alarm'], { action: ALARM_ACTION.get, memberID: 0n, alarm: 0 }, effect)
  const { members } = await call(methods['Cluster/MemberList'], { linearizable: false }, effect)
  return alarms.map(({ memberID, alarm }) => ({
    server: members.find(({ ID }) => ID === memberID)?.name || memberID.toString(16),
    alarm: ALARM_NAMES[alarm] ?? String(alarm),
  }))
}

/** Takes all alarms back, as etcdctl does: each with its server. */
export async function disarm({ call, methods }: StoreCall): Promise<void> {
  const method = methods['Maintenance/Alarm']
  const { alarms } = await call(method, { action: ALARM_ACTION.get, memberID: 0n, alarm: 0 }, { effect: 'read' })
  for (const alarm of alarms) await call(method, { action: ALARM_ACTION.deactivate, ...alarm }, { effect: 'repeatable' })
}
