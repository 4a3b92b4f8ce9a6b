import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { problemOf, registerValueSchema, type RegisterValue } from '../../../core/delos/virtual-log/value.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { replaceFileDurably } from '../../../platform/files.ts'

/** What both logs are made of. */
export interface Registers {
  control: RegisterValue
  kv: RegisterValue
}

const registersSchema = z.object({ control: registerValueSchema, kv: registerValueSchema })

const fileOf = (root: string): string => join(root, 'joined.json')

/**
 * What the logs of a server begin with that joined a cluster, until they were opened for the first time; null: it began its cluster itself. Throws
 * STATE_UNREADABLE: begun as its own, the cluster would be there twice.
 */
export function readJoined(root: string): Registers | null {
  let text: string
  try {
    text = readFileSync(fileOf(root), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const found = registersSchema.parse(JSON.parse(text))
    for (const value of [found.control, found.kv]) {
      const problem = problemOf(value)
      if (problem !== null) throw new RangeError(problem)
    }
    return found
  } catch (cause) {
    throw new MusterError(
      'STATE_UNREADABLE',
      `${fileOf(root)} does not say what the cluster's logs were made of when this server joined it`,
      {
        cause,
        hint: 'Restore it from a backup; or remove the server from the cluster and join with an empty state directory.',
      },
    )
  }
}

/** On the disk when it returns. */
export function writeJoined(root: string, registers: Registers): void {
  replaceFileDurably(fileOf(root), `${JSON.stringify(registers)}\n`)
}

/** That this server came to a fleet which another one began. */
export const hasJoined = (root: string): boolean => existsSync(fileOf(root))
