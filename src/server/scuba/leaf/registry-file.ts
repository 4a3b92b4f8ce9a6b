import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EMPTY_REGISTRY, registrySchema, type Registry, type TableJob } from '../../../core/scuba/registry.ts'
import { replaceFileDurably } from '../../../platform/files.ts'
import type { Logger } from '../../../platform/logger.ts'

/** The registry as the server told it last, kept in `registry.json`: the leaf works by it while the server is away. */
export class RegistryFile {
  readonly #path: string
  #current: Registry = EMPTY_REGISTRY
  /** jobs up to this position are from before this leaf was there */
  #jobsAfter = 0

  constructor(dir: string, log: Logger) {
    this.#path = join(dir, 'registry.json')
    try {
      const { jobsAfter = 0, ...registry } = JSON.parse(readFileSync(this.#path, 'utf8')) as Registry & { jobsAfter?: number }
      this.#current = registrySchema.parse(registry)
      this.#jobsAfter = jobsAfter
    } catch (error) {
      // Without one, or with one that another version wrote, nothing is declared until the server tells it anew.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn('the registry cannot be read', { error: String(error) })
    }
  }

  get current(): Registry {
    return this.#current
  }

  /** What this leaf was asked to do to tables, done or not, oldest first. */
  get jobs(): TableJob[] {
    return this.#current.jobs.filter(({ id }) => id > this.#jobsAfter)
  }

  /** Takes a registry over once it is on disk. An older one than the known is left out: two pushes may overtake each other. */
  put(registry: Registry): Registry {
    if (registry.version < this.#current.version) return this.#current
    if (this.#current === EMPTY_REGISTRY) this.#jobsAfter = Math.max(0, ...registry.jobs.map(({ id }) => id))
    replaceFileDurably(this.#path, `${JSON.stringify({ ...registry, jobsAfter: this.#jobsAfter })}\n`)
    this.#current = registry
    return registry
  }
}
