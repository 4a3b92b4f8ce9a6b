import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { SCRAM_VERIFIER } from '../../../../core/contracts/scram-verifier.ts'

/**
 * Where the leaf answers PostgreSQL's clients, and whom. The server writes it, in the store's folder and for its owner alone;
 * the leaf goes by it, also while the server is away. It has no token in it.
 */
export const accessSchema = z.object({
  /** null: nowhere but on the owner's socket */
  listen: z.object({ host: z.string(), port: z.number().int().min(1).max(65_535) }).nullable(),
  /** PEM file with the key and the certificates that TLS shows; null: there is no TLS */
  tls: z.string().nullable(),
  logins: z.array(z.object({ name: z.string(), verifier: z.string().regex(SCRAM_VERIFIER) })),
})
export type PgAccess = z.output<typeof accessSchema>

export const NO_ACCESS: PgAccess = { listen: null, tls: null, logins: [] }

export const accessFileOf = (scubaDir: string): string => join(scubaDir, 'postgres.json')

/** Reads the file anew when it changed. */
export class AccessFile {
  readonly #file: string
  #seen = ''
  #access: PgAccess = NO_ACCESS

  constructor(scubaDir: string) {
    this.#file = accessFileOf(scubaDir)
  }

  /** What it says now; as before when it cannot be read. */
  read(onBroken: (reason: string) => void): PgAccess {
    const stat = statSync(this.#file, { throwIfNoEntry: false })
    const seen = stat === undefined ? '' : `${stat.mtimeMs} ${stat.ino} ${stat.size}`
    if (seen === this.#seen) return this.#access
    this.#seen = seen
    try {
      this.#access = stat === undefined ? NO_ACCESS : accessSchema.parse(JSON.parse(readFileSync(this.#file, 'utf8')))
    } catch (error) {
      onBroken((error as Error).message)
    }
    return this.#access
  }
}
