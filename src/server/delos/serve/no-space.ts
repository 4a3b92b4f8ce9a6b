import { KV_ERRORS } from '../../../core/delos/kv/errors.ts'
import { ALARM_TYPE } from '../../../core/delos/wire/messages.ts'
import type { RpcError } from '../../../core/delos/wire/service.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { Replica } from '../store/replica.ts'
import type { Aside } from './aside.ts'
import { watchDiskRoom } from './disk-room.ts'

export interface SpaceOptions {
  self: bigint
  quotaBytes: number
  /** on the disk whose free space is looked at; null: somebody else does */
  diskDir: string | null
  /** how many other servers there are */
  others: () => number
}

export interface NoSpace {
  /** Why the store may not grow now, or null. */
  onGrowth: () => RpcError | null
  stop: () => void
}

const DISK_SHORT = 'disk.short'
/** What another server said of its disk is believed for so long; it says it each second. */
const SAID_MS = 5000

/**
 * Growing is over when the quota is reached, or when the disks of a majority are nearly full; all servers are told by an alarm. One raised
 * for the quota stays until it is taken back, as in etcd; one for the disks is taken back when there is room again. A minority whose disks
 * are full holds nobody up.
 */
export function watchSpace(options: SpaceOptions, replica: Replica, aside: Aside, log: Logger): NoSpace {
  const { store } = replica
  const memberId = options.self
  /** servers that said their disks are short of room, and when */
  const short = new Map<string, number>()

  const alarm = (action: 'raise' | 'clear', isOfDisk: boolean): void => {
    const cause = isOfDisk ? { isOfDisk } : {}
    replica.submit({ kind: 'alarm', action, memberId, type: ALARM_TYPE.nospace, ...cause, who: null }, null, () => undefined)
  }
  const isDisksShort = (): boolean => {
    // Asked before each change, when nearly always nobody is: to count costs more than a put.
    if (!room.isShort && short.size === 0) return false
    const since = performance.now() - SAID_MS
    const theirs = [...short.values()].filter((atMs) => atMs > since).length
    return theirs + (room.isShort ? 1 : 0) > (options.others() + 1) / 2
  }
  const look = (): void => {
    // Also one that this server raised before it was last started.
    if (!store.isRaisedForDisk(memberId) || isDisksShort()) return
    alarm('clear', true)
    if (store.sizeBytes > options.quotaBytes) alarm('raise', false)
  }
  const room = options.diskDir === null ? { isShort: false, stop: () => {} } : watchDiskRoom(options.diskDir, log, look)
  aside.announce(DISK_SHORT, () => ({ id: memberId.toString(), isShort: room.isShort }))
  aside.onTell(DISK_SHORT, ({ id, isShort }: { id: string; isShort: boolean }) => {
    if (isShort) short.set(id, performance.now())
    else short.delete(id)
    look()
  })

  return {
    onGrowth: () => {
      const isOfDisk = isDisksShort()
      if (!isOfDisk && store.sizeBytes <= options.quotaBytes) return null
      alarm('raise', isOfDisk)
      return KV_ERRORS.noSpace
    },
    stop: room.stop,
  }
}
