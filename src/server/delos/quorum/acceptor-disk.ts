import { join } from 'node:path'
import { mkdir } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { ACCEPTOR_SLOT_BYTES, decodeAcceptorFile, encodeAcceptorSlot, type AcceptorSlot } from '../../../core/delos/paxos/acceptor-file.ts'
import { FRESH, type AcceptorState } from '../../../core/delos/paxos/contract.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { syncDirectory } from '../../../platform/files.ts'
import { closeFile, diskFailed, openFile, syncData, writeAll } from '../disk.ts'

/** What this server promised, in a file of two equal slots: one of them is always whole. */
export interface AcceptorDisk {
  readonly state: AcceptorState
  /** Resolves once it is on the disk. Rejects with DELOS_DISK_FAILED: then nobody knows, and the process must end. */
  write(state: AcceptorState): Promise<void>
  close(): Promise<void>
}

export type AcceptorIdentity = Pick<AcceptorSlot, 'clusterId' | 'loglet' | 'incarnation'>

/**
 * Opens the file in a directory, making it with `initial` if it is not there. Throws DELOS_LOG_CORRUPT when it is damaged or of another cluster, and when
 * it is gone though `isExpected`: a server that forgot its promises must not vote.
 */
export async function openAcceptorDisk(
  dir: string,
  identity: AcceptorIdentity,
  isExpected: boolean,
  initial: AcceptorState = FRESH,
): Promise<AcceptorDisk> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, 'acceptor')
  let generation = 0
  let state = FRESH
  const kept = readIfThere(path)
  if (kept !== null) {
    const found = decodeAcceptorFile(kept)
    if (found.kind === 'slot') {
      ;({ generation, state } = found.slot)
      if (found.slot.clusterId !== identity.clusterId || found.slot.loglet !== identity.loglet)
        throw forgotten(path, 'it is of another cluster')
    } else if (found.kind === 'damaged') throw forgotten(path, 'it is damaged')
  }
  if (generation === 0 && isExpected) throw forgotten(path, 'it is gone')
  const fd = await openFile(path, kept === null ? 'w+' : 'r+')
  const write = async (next: AcceptorState): Promise<void> => {
    generation += 1
    const bytes = encodeAcceptorSlot({ ...identity, generation, state: next })
    try {
      // One slot after the other: whenever it is cut off, one of them is whole, and says the old or the new.
      for (const offset of [0, ACCEPTOR_SLOT_BYTES]) {
        await writeAll(fd, bytes, offset)
        await syncData(fd)
      }
    } catch (error) {
      throw diskFailed(dir, error)
    }
    state = next
  }
  if (generation === 0) {
    await write(initial)
    await syncDirectory(dir)
  }
  let last: Promise<void> = Promise.resolve()
  return {
    get state() {
      return state
    },
    // One after the other: two writes at once would share a slot's turn.
    write: (next) => {
      const before = last
      last = (async () => {
        await before
        await write(next)
      })()
      return last
    },
    close: async () => {
      await last.catch(() => undefined)
      await closeFile(fd)
    },
  }
}

function forgotten(path: string, why: string): MusterError {
  return new MusterError('DELOS_LOG_CORRUPT', `${path} does not say what this server promised: ${why}`, {
    hint: 'Without it the server could break its word. Restore the file, or start with an empty directory as a new member.',
  })
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
