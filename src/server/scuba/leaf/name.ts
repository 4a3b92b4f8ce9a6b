import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFileDurably } from '../../../platform/files.ts'

const fileOf = (dir: string): string => join(dir, 'leaf-name')

/** The name of the leaf whose folder this is, for good; null before its first start. */
export function leafName(dir: string): string | null {
  const file = fileOf(dir)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null
}

/** The same, and one is made if there is none. */
export function ensureLeafName(dir: string): string {
  const known = leafName(dir)
  if (known !== null && known !== '') return known
  const name = `leaf-${randomBytes(4).toString('hex')}`
  replaceFileDurably(fileOf(dir), `${name}\n`)
  return name
}
