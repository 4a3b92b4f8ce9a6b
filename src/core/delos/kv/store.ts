import { ALARM_TYPE } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import { assert } from '../../kernel/assert.ts'
import { alarmsOf, changeAlarm, isRaisedForDisk, refuseByAlarm, refuseReading } from './alarms.ts'
import { changeAuth, refuseAccess, refuseAdmin } from './auth.ts'
import { authenticate, authStatus, identityOfCommonName, roleGet, roleList, userGet, userList } from './auth-queries.ts'
import { emptyChanges, isEmpty, mergeSmallRows } from './changes.ts'
import { check, checkPages, checkRange, checkTxn } from './check.ts'
import type { CommandResponses, KvCommand } from './command.ts'
import { compact, compactStep } from './compaction.ts'
import { chainSmallRows, chainVersion } from './digest.ts'
import { isRpcError, KV_ERRORS } from './errors.ts'
import { checkpointLeases, expireLeases, grantLease, revokeLease, rowOf } from './leases.ts'
import { applyOps } from './ops.ts'
import { refuseCommand, refuseLeaseKeys, refuseTxn } from './permits.ts'
import { dump, load } from './persistence.ts'
import { readHashKv, readPages, readRange } from './reading.ts'
import { KV_RULES } from './rules.ts'
import type { KvRows, StateRow } from './rows.ts'
import { select } from './select.ts'
import { deleteRange, put, refusePut } from './single.ts'
import { commit, createState, header, type KvState } from './state.ts'
import type { KvOptions, KvStore } from './store-contract.ts'
import { isReadOnly, txn } from './txn.ts'
import { firstFrom, versionAt, type Version } from './version.ts'

const DEFAULTS: KvOptions = { leaseTtlMinS: 1, txnOpsMax: 128, requestBytesMax: 1.5 * 1024 * 1024, rules: KV_RULES }

/**
 * A store, empty or from its rows (what `dump` gave, or what the changes since the beginning add up to).
 * @param options those left out are etcd's
 */
export function createStore(options: Partial<KvOptions> = {}, rows: KvRows | null = null): KvStore {
  let state = createState({ ...DEFAULTS, ...options })
  /** of the versions up to `chained` of the pending ones, and of all other rows */
  let digest = 0
  let chained = 0
  if (rows !== null) {
    load(state, rows)
    digest = rows.state.digest
  }
  let lastTaken = stateKey(state)

  const chain = (): number => {
    const { versions } = state.changes
    for (; chained < versions.length; chained += 1) {
      const version = versions[chained]
      if (version !== undefined) digest = chainVersion(digest, version)
    }
    return digest
  }
  const stateRow = (): StateRow => ({
    cursor: state.cursor,
    revision: state.revision,
    compactRevision: state.compactRevision,
    epoch: state.epoch,
    authRevision: state.auth.revision,
    isAuthEnabled: state.auth.isEnabled,
    digest: chain(),
  })

  return {
    get revision() {
      return state.revision
    },
    get compactRevision() {
      return state.compactRevision
    },
    get epoch() {
      return state.epoch
    },
    get cursor() {
      return state.cursor
    },
    get sizeBytes() {
      return state.sizeBytes
    },
    get liveBytes() {
      return state.liveBytes
    },
    get keyCount() {
      return state.liveKeys
    },
    get isCorrupt() {
      return refuseReading(state) !== null
    },
    get isAuthEnabled() {
      return state.auth.isEnabled
    },
    get authRevision() {
      return state.auth.revision
    },
    get digest() {
      return chain()
    },

    check: (command, encodedBytes = 0) => check(command, state.options, encodedBytes),
    checkRange,

    apply: (command, at) => {
      state.cursor = at.position
      if (command.kind === 'put' || command.kind === 'txn' || command.kind === 'deleteRange' || command.kind === 'ops') {
        return execute(state, command, at.position) as never
      }
      // The rows of this command alone are chained, whatever came before it in the batch.
      const earlier = state.changes
      state.changes = { ...emptyChanges(), versions: earlier.versions, removed: earlier.removed }
      const response = execute(state, command, at.position)
      digest = chainSmallRows(chain(), state)
      mergeSmallRows(earlier, state.changes)
      state.changes = earlier
      return response as never
    },

    takeChanges: () => {
      const own = stateRow()
      const { changes } = state
      const now = stateKey(state)
      if (now === lastTaken && isEmpty(changes)) return null
      lastTaken = now
      state.changes = emptyChanges()
      chained = 0
      return { ...changes, state: own }
    },

    compactStep: (budget) => compactStep(state, budget),

    range: (request, who) =>
      checkRange(request) ??
      refuseAccess(state.auth, who, 'read', request.key, request.range_end) ??
      refuseReading(state) ??
      select(state, request),
    openRange: (request, who) =>
      checkRange(request) ??
      refuseAccess(state.auth, who, 'read', request.key, request.range_end) ??
      refuseReading(state) ??
      readRange(state, request),
    openPages: (request, who) => {
      const opened = state
      const refuse = (): RpcError | null => refuseAccess(opened.auth, who, 'read', request.key, request.range_end) ?? refuseReading(opened)
      const pages = checkPages(request) ?? refuse() ?? readPages(opened, request)
      if (isRpcError(pages)) return pages
      const { revision } = opened.auth
      return {
        step: (bytesMax) => {
          // The rows of another server took the place of these: what is left of them is nobody's to read any more.
          if (opened !== state) return KV_ERRORS.storeReplaced
          return (opened.auth.revision === revision ? refuseReading(opened) : refuse()) ?? pages.step(bytesMax)
        },
      }
    },
    readTxn: (request, who) => {
      assert(isReadOnly(request), 'a txn that writes goes through the log')
      return checkTxn(request, state.options.txnOpsMax) ?? refuseTxn(state, who, request) ?? refuseReading(state) ?? txn(state, request)
    },
    isReadOnly,

    changesFrom: (from, countMax) => {
      const start = state.journal.placeOf(from)
      return state.journal.slice(
        start,
        wholeRevisions((place) => state.journal.at(place), start, countMax, state.journal.end),
      )
    },
    changesOfKey: (key, from, countMax) => {
      const versions = state.index.get(key)?.versions ?? []
      const start = firstFrom(versions, from)
      return versions.slice(
        start,
        wholeRevisions((place) => versions[place], start, countMax, versions.length),
      )
    },
    previousOf: (version) => {
      const revision = version.mod_revision - 1
      if (version.create_revision === version.mod_revision || revision < state.compactRevision) return null
      const history = state.index.get(version.key)
      const before = history === undefined ? null : versionAt(history, revision)
      return before === null || before.isDeleted ? null : before
    },

    lease: (id) => {
      const lease = state.leases.get(id)
      return lease === undefined ? null : rowOf(lease)
    },
    leases: function* leases() {
      for (const lease of state.leases.values()) yield rowOf(lease)
    },
    leaseTimeToLive: ({ ID, keys: isWithKeys }, remainingS, who) => {
      const lease = state.leases.get(ID)
      if (lease === undefined || remainingS === null) return { header: header(state.revision), ID, TTL: -1, grantedTTL: 0, keys: [] }
      const refusal = isWithKeys ? refuseLeaseKeys(state, who, 'read', lease) : null
      if (refusal !== null) return refusal
      const keys = isWithKeys ? [...lease.keys].sort() : []
      return { header: header(state.revision), ID, TTL: remainingS, grantedTTL: lease.ttlS, keys }
    },
    leaseLeases: () => ({ header: header(state.revision), leases: [...state.leases.keys()].map((ID) => ({ ID })) }),

    alarms: (type) => alarmsOf(state, type),
    isRaisedForDisk: (memberId) => isRaisedForDisk(state, memberId),
    openHashKv: (revision) => readHashKv(state, revision),
    hash: () => ({ header: header(state.revision), hash: chain() }),

    mayRead: (who, key, rangeEnd) => refuseAccess(state.auth, who, 'read', key, rangeEnd),
    mayAdminister: (who) => refuseAdmin(state.auth, who),
    authenticate: (name, verify) => authenticate(state.auth, name, verify),
    identityOfCommonName: (commonName) => identityOfCommonName(state.auth, commonName),
    authStatus: () => authStatus(state),
    userGet: (name, who) => userGet(state, name, who),
    userList: (who) => userList(state, who),
    roleGet: (role, who) => roleGet(state, role, who),
    roleList: (who) => roleList(state, who),

    dump: () => dump(state, stateRow()),
    restore: (kept) => {
      state = createState(state.options)
      load(state, kept)
      digest = kept.state.digest
      chained = 0
      lastTaken = stateKey(state)
    },
  }
}

/** The end of at most `countMax` versions from `start` on, moved on so that no revision is cut. */
function wholeRevisions(at: (place: number) => Version | undefined, start: number, countMax: number, length: number): number {
  let end = Math.min(start + countMax, length)
  const last = at(end - 1)?.mod_revision
  while (end > start && end < length && at(end)?.mod_revision === last) end += 1
  return end
}

/** Changes with every change of the state row. */
const stateKey = (state: KvState): string => `${state.cursor} ${state.revision} ${state.compactRevision}`

function execute(state: KvState, command: KvCommand, position: number): CommandResponses[KvCommand['kind']] | RpcError {
  const refusal = refuseByAlarm(state, command) ?? refuseCommand(state, command)
  if (refusal !== null) return refusal
  switch (command.kind) {
    case 'put': {
      const refused = refusePut(state, command.request)
      if (refused !== null) return refused
      const response = put(state, command.request)
      commit(state)
      return response
    }
    case 'deleteRange': {
      const response = deleteRange(state, command.request)
      commit(state)
      return response
    }
    case 'txn': {
      const response = txn(state, command.request)
      commit(state)
      return response
    }
    case 'ops':
      return applyOps(state, command.frame, command.who, (each) => execute(state, each, position))
    case 'compact':
      return compact(state, command.request.revision)
    case 'leaseGrant':
      return grantLease(state, command.id, command.ttlS)
    case 'leaseRevoke':
      return revokeLease(state, command.id)
    case 'leasesExpired':
      return expireLeases(state, command.ids, command.epoch)
    case 'leaseCheckpoint':
      return checkpointLeases(state, command.checkpoints, command.epoch)
    case 'leaderClaimed':
      state.epoch = position
      return { header: header(state.revision) }
    case 'alarm': {
      const alarm = { memberID: command.memberId, alarm: command.type }
      const isContained = command.who === null && command.type === ALARM_TYPE.corrupt
      const cause = isContained ? { isContained } : command.isOfDisk === true ? { isOfDisk: command.isOfDisk } : {}
      return changeAlarm(state, command.action === 'raise', { ...alarm, ...cause })
    }
    case 'auth':
      return changeAuth(state.auth, state.changes, command.change) ?? { header: header(state.revision) }
  }
}
