import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { id64Schema, serverNameSchema } from '../../../core/delos/member/schema.ts'
import { problemOf, registerValueSchema, type RegisterValue } from '../../../core/delos/virtual-log/value.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { replaceFileDurably } from '../../../platform/files.ts'

/** Who this server is, and of which cluster: `identity.json` in the state directory. */
const identitySchema = z.object({ cluster: id64Schema, server: id64Schema, name: serverNameSchema })
export type Identity = z.output<typeof identitySchema>

/** What both logs were made of when this server joined: `joined.json`. */
const registersSchema = z.object({ control: registerValueSchema, kv: registerValueSchema })
export interface Registers {
  control: RegisterValue
  kv: RegisterValue
}

const identityFile = (root: string): string => join(root, 'identity.json')
const joinedFile = (root: string): string => join(root, 'joined.json')

/** A new server of a new cluster. */
export function newIdentity(name: string): Identity {
  const id = (): string => randomBytes(8).toString('hex')
  return { cluster: id(), server: id(), name }
}

/** Null: the directory was never used. Throws STATE_UNREADABLE when the file is none of ours. */
export function readIdentity(root: string): Identity | null {
  return readJson(identityFile(root), identitySchema)
}

/** On the disk when it returns. */
export function writeIdentity(root: string, identity: Identity): void {
  replaceFileDurably(identityFile(root), `${JSON.stringify(identity)}\n`)
}

/** What the logs of a server that joined begin with; null: it began its cluster itself. A log that was opened before knows better. */
export function readJoined(root: string): Registers | null {
  const found = readJson(joinedFile(root), registersSchema)
  if (found !== null && (problemOf(found.control) !== null || problemOf(found.kv) !== null)) throw unreadable(joinedFile(root))
  return found
}

export function writeJoined(root: string, registers: Registers): void {
  replaceFileDurably(joinedFile(root), `${JSON.stringify(registers)}\n`)
}

function readJson<T>(file: string, schema: z.ZodType<T>): T | null {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw unreadable(file, cause)
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw unreadable(file, parsed.error)
  return parsed.data
}

function unreadable(file: string, cause?: unknown): MusterError {
  return new MusterError('STATE_UNREADABLE', `${file} does not say who this server is in a form that this version knows`, {
    cause,
    hint: 'Restore it from a backup of the state directory.',
  })
}
