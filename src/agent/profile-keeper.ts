import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import type { NodeReport } from '../core/contracts/node.ts'
import { replaceFileDurably } from '../platform/files.ts'
import { differences, isOfAgent, isWritable, NOT_THERE, readSetting, writeSetting } from './kernel-settings.ts'

const texts = z.record(z.string(), z.string())
const askedSchema = z.object({ switch: z.int(), profile: z.string(), version: z.int(), settings: texts })
const keptSchema = z.object({
  v: z.literal(1),
  /** the profile the node is in */
  current: askedSchema.nullable(),
  /** what is being switched, and the values before it: an agent that ends in the middle still knows how to go back */
  switching: z.object({ switch: z.int(), before: texts }).nullable(),
})
type Kept = z.output<typeof keptSchema>

export interface ProfileAnswer {
  outcome: 'set' | 'compared' | 'failed'
  /** setting → what it is instead */
  differs: Record<string, string>
  why: string
}

/**
 * Puts this machine into a profile and looks whether it stays so. Touches only what the profile names. In `profile.json` of the node's folder
 * stands what it is in.
 */
export class ProfileKeeper {
  readonly #file: string
  readonly #root: string
  readonly #mayWrite: (root: string, name: string) => boolean
  #kept: Kept
  #found: NodeReport['profile']

  /** @param root `/`, or a folder that stands for it */
  constructor(file: string, root: string, mayWrite = isWritable) {
    this.#file = file
    this.#root = root
    this.#mayWrite = mayWrite
    this.#kept = existsSync(file) ? keptSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : { v: 1, current: null, switching: null }
  }

  /** How the machine was found to differ from its profile when it was last looked at; undefined: it is in none. */
  get found(): NodeReport['profile'] {
    return this.#found
  }

  /** What is the agent's own is that of no agent before: sets it anew. For the start, before any task. Gives what did not go, in words. */
  resume(): string {
    const settings = this.#kept.current?.settings ?? {}
    const names = Object.keys(differences(this.#root, settings)).filter((name) => isOfAgent(name) && this.#mayWrite(this.#root, name))
    return names.flatMap((name) => this.#try(name, settings[name] ?? '') ?? []).join(', ')
  }

  /** Looks whether the machine still is as its profile says. */
  look(): void {
    const { current } = this.#kept
    this.#found = current === null ? undefined : { switch: current.switch, differs: differences(this.#root, current.settings) }
  }

  /** Writes what differs, reads it back, and takes all of it back if one does not read as written. Asked twice it does it once. */
  put(body: unknown): ProfileAnswer {
    const asked = askedSchema.parse(body)
    const differs = differences(this.#root, asked.settings)
    const names = Object.keys(differs)
    if (names.length === 0) return this.#settle(asked, { outcome: 'set', differs, why: '' })
    if (!names.every((name) => this.#mayWrite(this.#root, name)))
      return this.#settle(asked, { outcome: 'compared', differs, why: 'compared and not written: the agent may not write here' })
    const missing = names.find((name) => differs[name] === NOT_THERE)
    if (missing !== undefined) return { outcome: 'failed', differs: {}, why: `this kernel has no ${missing}; nothing was written` }
    const before = { ...differs, ...(this.#kept.switching?.switch === asked.switch ? this.#kept.switching.before : {}) }
    this.#keep({ ...this.#kept, switching: { switch: asked.switch, before } })
    const why = this.#write(asked.settings, names)
    if (why === null) return this.#settle(asked, { outcome: 'set', differs: {}, why: '' })
    const left = this.#restore(before)
    this.#keep({ ...this.#kept, switching: null })
    this.look()
    return {
      outcome: 'failed',
      differs: {},
      why: `${why}; ${left === '' ? 'the old values are back' : `and not all old values are back: ${left}`}`,
    }
  }

  /** Null when all read as written, else what did not. */
  #write(settings: Readonly<Record<string, string>>, names: readonly string[]): string | null {
    for (const name of names) {
      const wanted = settings[name] ?? ''
      const refused = this.#try(name, wanted)
      if (refused !== null) return refused
      const actual = readSetting(this.#root, name)
      if (actual !== wanted) return `${name} reads ${actual} after ${wanted} was written`
    }
    return null
  }

  /** The last first, as some depend on those before. Gives what did not go back. */
  #restore(before: Readonly<Record<string, string>>): string {
    const failed = Object.entries(before)
      .reverse()
      .flatMap(([name, value]) => (readSetting(this.#root, name) === value ? [] : (this.#try(name, value) ?? [])))
    return failed.join(', ')
  }

  #try(name: string, value: string): string | null {
    try {
      writeSetting(this.#root, name, value)
      return null
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      return `${name} takes no ${value} (${code ?? message})`
    }
  }

  #settle(current: z.output<typeof askedSchema>, answer: ProfileAnswer): ProfileAnswer {
    this.#keep({ v: 1, current, switching: null })
    this.look()
    return answer
  }

  #keep(kept: Kept): void {
    this.#kept = kept
    replaceFileDurably(this.#file, `${JSON.stringify(kept)}\n`)
  }
}
