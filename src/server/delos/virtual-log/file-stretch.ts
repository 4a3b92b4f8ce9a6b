import type { Stretch, StretchEnd } from '../../../core/contracts/stretch.ts'
import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import type { FileLoglet } from '../file-loglet.ts'
import { Follower } from './follower.ts'
import { plainBaseAt } from './plain-base.ts'

export interface FileStretchOptions {
  file: FileLoglet
  loglet: number
  first: number
  /** the last round of the loglets before */
  lastRound: number
  /** whose file it is: it leads, always */
  self: bigint
  /** Nothing can be appended any more: what the disk was told may or may not be on it, and only reading it anew tells. */
  onFatal: (error: MusterError) => void
}

/** A stretch in a file of one server, which has nobody to ask. */
export function fileStretch({ file, loglet, first, lastRound, self, onFatal }: FileStretchOptions): Stretch {
  const follower = new Follower({ tail: () => file.checkTail(), read: (from, max) => file.readNext(from, max) })
  const endListeners: ((end: StretchEnd) => void)[] = []
  const role = { isLeader: true, leader: self, term: lastRound + 1 }
  // From the moment the seal is asked for: what comes after it may already stand in another loglet.
  let isSealing = file.isSealed
  const endOf = (): StretchEnd | null => (file.isSealed ? { position: file.checkTail(), round: role.term } : null)
  const sealed = (): MusterError => new MusterError('DELOS_SEALED', `The log in ${file.dir} is sealed.`)
  return {
    loglet,
    first,
    append: async (batch) => {
      if (isSealing) throw sealed()
      // Appends resolve in the order of their positions.
      const position = await file.append([batch]).catch((error: unknown) => {
        if (isRefusal(error) && error.code === 'DELOS_DISK_FAILED') onFatal(error)
        throw error
      })
      follower.committed(position, batch)
      return position
    },
    follow: (from, listener) => follower.follow(from, listener),
    readBarrier: async () => {
      if (isSealing) throw sealed()
    },
    holdsReadLease: () => !isSealing,
    role: () => role,
    onRole: () => () => {},
    tail: () => file.checkTail(),
    head: () => file.head(),
    read: (from, max) => file.readNext(from, max),
    syncStats: () => {
      const { syncP50Ms, syncP99Ms } = file.stats()
      return { p50Ms: syncP50Ms, p99Ms: syncP99Ms }
    },
    trim: (position) => file.prefixTrim(position),
    baseAt: (position) => plainBaseAt({ loglet, head: () => file.head(), tail: () => file.checkTail() }, position),
    // Its file is the only copy there is.
    install: async () => {},
    onBehind: () => () => {},
    end: endOf,
    onEnd: (listener) => {
      const end = endOf()
      if (end === null) endListeners.push(listener)
      else listener(end)
    },
    seal: async () => {
      isSealing = true
      await file.seal().catch((error: unknown) => {
        // A full disk: it has to go on as before.
        isSealing = file.isSealed
        throw error
      })
      const end = endOf() as StretchEnd
      for (const listener of endListeners.splice(0)) listener(end)
      return end
    },
    close: () => file.close(),
  }
}
