import { ALARM_TYPE, type AlarmMember, type AlarmResponse, type RequestOp } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import type { KvCommand } from './command.ts'
import { KV_ERRORS } from './errors.ts'
import type { AlarmRow } from './rows.ts'
import { alarmId, header, type KvState } from './state.ts'

/**
 * What alarms forbid: NOSPACE all that grows, so that deleting, compacting and disarming remain; CORRUPT all that touches keys, since
 * nobody knows which copy is right - unless it is contained: then the others know, and its member refuses by itself.
 */
export function refuseByAlarm(state: KvState, command: KvCommand): RpcError | null {
  if (state.alarms.size === 0) return null
  switch (command.kind) {
    case 'put':
    case 'leaseGrant':
      return refuseReading(state) ?? refuseGrowth(state)
    case 'txn':
      return refuseReading(state) ?? (hasPut(command.request.success) || hasPut(command.request.failure) ? refuseGrowth(state) : null)
    case 'deleteRange':
    case 'compact':
    case 'leaseRevoke':
    case 'leasesExpired':
      return refuseReading(state)
    default:
      return null
  }
}

/** Null: no member's data is in doubt. */
export function refuseReading(state: KvState): RpcError | null {
  return isRaised(state, ALARM_TYPE.corrupt) ? KV_ERRORS.corrupt : null
}

const refuseGrowth = (state: KvState): RpcError | null => (isRaised(state, ALARM_TYPE.nospace) ? KV_ERRORS.noSpace : null)

function isRaised(state: KvState, type: number): boolean {
  for (const alarm of state.alarms.values()) if (alarm.alarm === type && alarm.isContained !== true) return true
  return false
}

function hasPut(ops: readonly RequestOp[]): boolean {
  return ops.some(
    ({ request_put: put, request_txn: txn }) => put !== null || (txn !== null && (hasPut(txn.success) || hasPut(txn.failure))),
  )
}

/** Answers with the alarm that was raised or cleared; with none if there was none to clear. */
export function changeAlarm(state: KvState, isRaise: boolean, alarm: AlarmRow): AlarmResponse {
  const id = alarmId(alarm)
  const before = state.alarms.get(id)
  // One that stands is not made weaker: a full disk does not take the place of a reached quota, nor contained damage of damage.
  const isChange = isRaise ? before === undefined || (isWeak(before) && !isWeak(alarm)) : before !== undefined
  if (isChange) state.changes.alarms.set(id, { alarm, isRaised: isRaise })
  if (!isRaise) state.alarms.delete(id)
  else if (isChange) state.alarms.set(id, alarm)
  return { header: header(state.revision), alarms: isRaise || before !== undefined ? [memberOf(alarm)] : [] }
}

const isWeak = ({ isContained, isOfDisk }: AlarmRow): boolean => isContained === true || isOfDisk === true

const memberOf = ({ memberID, alarm }: AlarmRow): AlarmMember => ({ memberID, alarm })

/** That a member said its disks are nearly full, and did not take it back. */
export const isRaisedForDisk = (state: KvState, memberID: bigint): boolean =>
  state.alarms.get(alarmId({ memberID, alarm: ALARM_TYPE.nospace }))?.isOfDisk === true

/** All of a type; of `none` all. */
export function alarmsOf(state: KvState, type: number): AlarmMember[] {
  return [...state.alarms.values()].filter((alarm) => type === ALARM_TYPE.none || alarm.alarm === type).map(memberOf)
}
