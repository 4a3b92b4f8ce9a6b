import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { refuse } from '../../core/kernel/errors.ts'
import { syncDirectory } from '../../platform/files.ts'
import type { StatePaths } from '../../platform/paths.ts'

const idSchema = z.string().regex(/^[0-9a-f]{16}$/)
const identitySchema = z.object({
  /** 64 bits, 16 hex digits: of the servers that have the same logs */
  cluster: idSchema,
  /** 64 bits, 16 hex digits: of this one */
  server: idSchema,
  /** for people */
  name: z.string().min(1),
  /** where it is, for people and for who shall lead; absent: nobody said */
  region: z.string().optional(),
})
/** Which server of which cluster a state directory is of. Both logs say the same. */
export type Identity = z.output<typeof identitySchema>

/**
 * The identity of a state directory; made at its first start, as that of a cluster of its own.
 * @param name what to call a new one; null: as the host is called
 * @param region where it is from now on; null: as before
 * Rejects with STATE_UNREADABLE when it cannot be read, or is gone while the logs are there.
 */
export async function holdIdentity(paths: StatePaths, name: string | null = null, region: string | null = null): Promise<Identity> {
  const found = readIdentity(paths)
  if (found !== null) {
    if (region === null || region === found.region) return found
    await writeIdentity(paths, { ...found, region })
    return { ...found, region }
  }
  for (const log of ['control', 'kv'])
    if (existsSync(join(paths.log, log, 'register.1')))
      throw refuse(
        'STATE_UNREADABLE',
        `${paths.identityJson} is gone: it says which server of which cluster the logs in ${paths.log} are of`,
        {
          hint: 'Bring it back from a backup; both ids are also in log/control/register.1.',
        },
      )
  const newId = (): string => randomBytes(8).toString('hex')
  const identity = { cluster: newId(), server: newId(), name: name ?? (hostname() || 'server'), ...(region === null ? {} : { region }) }
  await writeIdentity(paths, identity)
  return identity
}

/** Null: there is none yet. Throws STATE_UNREADABLE. */
export function readIdentity({ identityJson }: StatePaths): Identity | null {
  let text: string
  try {
    text = readFileSync(identityJson, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw refuse('STATE_UNREADABLE', `${identityJson} cannot be read`, { cause: error })
  }
  try {
    return identitySchema.parse(JSON.parse(text))
  } catch (error) {
    throw refuse('STATE_UNREADABLE', `${identityJson} does not say which server this is`, { cause: error })
  }
}

/** Resolves once it is on the disk: a log that is of it may be opened then. */
export async function writeIdentity({ identityJson }: StatePaths, identity: Identity): Promise<void> {
  await mkdir(dirname(identityJson), { recursive: true, mode: 0o700 })
  const made = `${identityJson}.new`
  const handle = await open(made, 'w', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify(identitySchema.parse(identity))}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(made, identityJson)
  await syncDirectory(dirname(identityJson))
}
