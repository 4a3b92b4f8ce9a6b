import { constants, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EMPTY_REGISTER, type RegisterState } from '../../../core/delos/virtual-log/register-contract.ts'
import { decodeRegisterFile, encodeRegisterSlot, generationOf, slotsToWrite } from '../../../core/delos/virtual-log/register-file.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { syncDirectory } from '../../../platform/files.ts'
import { closeFile, diskFailed, DURABLE, openFile, writeAll } from '../disk.ts'

export interface RegisterDisk {
  /** as it was found; without a version: it was never written */
  readonly found: RegisterState
  /** Resolves once it is on the disk. Rejects with DELOS_DISK_FAILED: then nobody knows, and the process must end. */
  write(state: RegisterState): Promise<void>
  close(): Promise<void>
}

/** The slots, in the log's directory. */
const SLOTS = ['register.1', 'register.2', 'register.3'] as const
/** Written in whole multiples of this: a state that is a little longer changes no metadata then. */
const PADDED_BYTES = 16 * 1024

/** What the slots in a directory hold; null: not there. */
export function readRegisterSlots(dir: string): (Buffer | null)[] {
  return SLOTS.map((name) => readIfThere(join(dir, name)))
}

/** Opens the register's files in a directory, making them. Throws DELOS_LOG_CORRUPT when what was promised in them is not known. */
export async function openRegisterDisk(dir: string): Promise<RegisterDisk> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const slots = readRegisterSlots(dir)
  const file = decodeRegisterFile(slots)
  if (file.kind === 'newer') throw new MusterError('STATE_NEWER', `${dir}/register.* are of a form that this program does not know`)
  if (file.kind === 'damaged')
    throw new MusterError('DELOS_LOG_CORRUPT', `${dir}/register.*, which say of what the log is made, are damaged`, {
      hint: 'Restore them from a backup, or start with an empty directory as a new member.',
    })
  let generation = file.kind === 'slot' ? file.slot.generation : 0
  const generations = slots.map(generationOf)
  const fds = await Promise.all(SLOTS.map((name) => openFile(join(dir, name), DURABLE | constants.O_CREAT)))
  if (slots.includes(null)) await syncDirectory(dir)
  let last: Promise<void> = Promise.resolve()
  const write = async (state: RegisterState): Promise<void> => {
    generation += 1
    const slot = encodeRegisterSlot({ generation, state })
    const bytes = new Uint8Array(Math.ceil(slot.length / PADDED_BYTES) * PADDED_BYTES)
    bytes.set(slot)
    const put = async (i: number): Promise<void> => {
      await writeAll(fds[i] as number, bytes, 0)
      generations[i] = generation
    }
    try {
      if (generation === 1) {
        await put(0)
        await Promise.all([put(1), put(2)])
      } else await Promise.all(slotsToWrite(generations).map(put))
    } catch (error) {
      throw diskFailed(dir, error)
    }
  }
  // A write that was cut off left the newest in one slot alone: nothing is built on that.
  if (file.kind === 'slot' && generations.filter((each) => each === generation).length < 2) await write(file.slot.state)
  return {
    found: file.kind === 'slot' ? file.slot.state : EMPTY_REGISTER,
    write: (state) => {
      last = last.then(() => write(state))
      return last
    },
    close: async () => {
      await last.catch(() => undefined)
      for (const fd of fds) await closeFile(fd)
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
