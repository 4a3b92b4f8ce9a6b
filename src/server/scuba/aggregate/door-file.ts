import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { replaceFileDurably } from '../../../platform/files.ts'

/** Where the leaves of other servers reach this server's own. The server writes it into the store's folder; the leaf goes by it, also while the server is away. */
export const doorSchema = z.object({
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  /** whether it is open: a server alone in its fleet keeps its port for when others come again */
  isOpen: z.boolean(),
})
export type LeafDoor = z.output<typeof doorSchema>

const fileOf = (scubaDir: string): string => join(scubaDir, 'peers.json')

/** Null: there was never another server. @throws when the file is not what was written */
export function readDoor(scubaDir: string): LeafDoor | null {
  const file = fileOf(scubaDir)
  return existsSync(file) ? doorSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : null
}

export function writeDoor(scubaDir: string, door: LeafDoor): void {
  replaceFileDurably(fileOf(scubaDir), `${JSON.stringify(door)}\n`)
}

/** `HOST:PORT`, with brackets around an address of IPv6. */
export const doorAddress = ({ host, port }: Pick<LeafDoor, 'host' | 'port'>): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
