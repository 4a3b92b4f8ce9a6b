import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EMPTY_REGISTRY, registrySchema, type Registry } from '../../../core/scuba/registry.ts'
import { replaceFileDurably } from '../../../platform/files.ts'
import type { Logger } from '../../../platform/logger.ts'

/** The registry as the server told it last, kept in `registry.json`: the leaf works by it while the server is away. */
export class RegistryFile {
  readonly #path: string
  #current: Registry = EMPTY_REGISTRY

  constructor(dir: string, log: Logger) {
    this.#path = join(dir, 'registry.json')
    try {
      this.#current = registrySchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')))
    } catch (error) {
      // Without one, or with one that another version wrote, nothing is declared until the server tells it anew.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn('the registry cannot be read', { error: String(error) })
    }
  }

  get current(): Registry {
    return this.#current
  }

  /** Takes a registry over once it is on disk. An older one than the known is left out: two pushes may overtake each other. */
  put(registry: Registry): Registry {
    if (registry.version < this.#current.version) return this.#current
    replaceFileDurably(this.#path, `${JSON.stringify(registry)}\n`)
    this.#current = registry
    return registry
  }
}
