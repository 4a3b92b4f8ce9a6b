import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EMPTY_REGISTER, type RegisterState } from '../../../core/delos/virtual-log/register-contract.ts'
import { decodeRegisterFile, encodeRegisterSlot } from '../../../core/delos/virtual-log/register-file.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { syncDirectory } from '../../../platform/files.ts'
import { closeFile, diskFailed, openFile, syncData, writeAll } from '../disk.ts'

export interface RegisterDisk {
  /** as it was found; without a version: it was never written */
  readonly found: RegisterState
  /** Resolves once it is on the disk. Rejects with DELOS_DISK_FAILED: then nobody knows, and the process must end. */
  write(state: RegisterState): Promise<void>
  close(): Promise<void>
}

/** The two slots, in the log's directory. */
const SLOTS = ['register.1', 'register.2'] as const

/** Opens the register's files in a directory, making them. Throws DELOS_LOG_CORRUPT when what was promised in them is not known. */
export async function openRegisterDisk(dir: string): Promise<RegisterDisk> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const paths = SLOTS.map((name) => join(dir, name))
  const [first = null, second = null] = paths.map(readIfThere)
  const file = decodeRegisterFile(first, second)
  if (file.kind === 'newer') throw new MusterError('STATE_NEWER', `${dir}/register.* are of a form that this program does not know`)
  if (file.kind === 'damaged')
    throw new MusterError('DELOS_LOG_CORRUPT', `${dir}/register.*, which say of what the log is made, are damaged`, {
      hint: 'Restore them from a backup, or start with an empty directory as a new member.',
    })
  let generation = file.kind === 'slot' ? file.slot.generation : 0
  const fds = [first, second].map((bytes, i) => openFile(paths[i] as string, bytes === null ? 'w+' : 'r+'))
  const opened = await Promise.all(fds)
  if (first === null || second === null) await syncDirectory(dir)
  let last: Promise<void> = Promise.resolve()
  const write = async (state: RegisterState): Promise<void> => {
    generation += 1
    const bytes = encodeRegisterSlot({ generation, state })
    try {
      for (const fd of opened) {
        await writeAll(fd, bytes, 0)
        await syncData(fd)
      }
    } catch (error) {
      throw diskFailed(dir, error)
    }
  }
  return {
    found: file.kind === 'slot' ? file.slot.state : EMPTY_REGISTER,
    write: (state) => {
      last = last.then(() => write(state))
      return last
    },
    close: async () => {
      await last.catch(() => undefined)
      for (const fd of opened) await closeFile(fd)
    },
  }
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
