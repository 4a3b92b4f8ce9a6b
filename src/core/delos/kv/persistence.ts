import type { Key } from '../wire/messages.ts'
import { rowOf } from './leases.ts'
import type { KvRows, StateRow } from './rows.ts'
import { loadSessions, sessionRow } from './sessions.ts'
import { alarmId, type KvState } from './state.ts'
import { bytesOf, type KeyHistory, type Version } from './version.ts'

/** Fills an empty store from rows. Rows below the compacted revision that should be gone (a crash came before) go with the next steps. */
export function load(state: KvState, rows: KvRows): void {
  const { state: own } = rows
  state.revision = own.revision
  state.compactRevision = own.compactRevision
  state.epoch = own.epoch
  state.cursor = own.cursor
  state.auth.revision = own.authRevision
  state.auth.isEnabled = own.isAuthEnabled
  for (const row of rows.leases) state.leases.set(row.id, { ...row, keys: new Set() })
  for (const row of rows.users) state.auth.users.set(row.name, row)
  for (const row of rows.roles) state.auth.roles.set(row.name, row)
  for (const alarm of rows.alarms) state.alarms.set(alarmId(alarm), alarm)
  loadSessions(state, rows.sessions ?? [])
  const histories = new Map<Key, KeyHistory>()
  for (const version of rows.versions) {
    const history = histories.get(version.key)
    if (history === undefined) histories.set(version.key, { key: version.key, versions: [version], latest: version, chunk: null })
    else {
      history.versions.push(version)
      history.latest = version
    }
    state.journal.push(version)
    state.sizeBytes += bytesOf(version)
  }
  state.index.adopt(histories)
  for (const { latest } of state.index) {
    if (latest.isDeleted) continue
    state.liveKeys += 1
    state.liveBytes += bytesOf(latest)
    if (latest.lease !== 0n) state.leases.get(latest.lease)?.keys.add(latest.key)
  }
}

/** The store as rows, as if compaction had finished. */
export function dump(state: KvState, own: StateRow): KvRows {
  return {
    versions: keptVersions(state),
    leases: [...state.leases.values()].map(rowOf).sort((a, b) => (a.id < b.id ? -1 : 1)),
    users: [...state.auth.users.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    roles: [...state.auth.roles.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    alarms: [...state.alarms.values()].sort((a, b) => (alarmId(a) < alarmId(b) ? -1 : 1)),
    sessions: [...state.sessions.values()].map(sessionRow),
    state: own,
  }
}

/** What compaction keeps of the versions, key by key, each key's in the order they were written. */
export function visitKept(state: KvState, visit: (version: Version) => void): void {
  const { isKept } = state.options.rules
  for (const { versions } of state.index) {
    versions.forEach((version, i) => {
      if (isKept(version, versions[i + 1], state.compactRevision)) visit(version)
    })
  }
}

function keptVersions(state: KvState): Version[] {
  const kept: Version[] = []
  visitKept(state, (version) => kept.push(version))
  return kept.sort((a, b) => a.mod_revision - b.mod_revision || a.sub - b.sub)
}
