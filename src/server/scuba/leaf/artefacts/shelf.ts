import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Artefact } from '../../../../core/scuba/warm/artefact.ts'
import { fileSha256, replaceFile } from '../../../../platform/files.ts'
import type { Engines } from '../engines.ts'
import type { Store } from '../store.ts'

/** The artefacts there are, by segment: files in `artefacts/`, named in its `index.json`. */
export class Shelf {
  readonly dir: string
  readonly #store: Store
  readonly #engines: Engines
  /** segment's file name → its artefacts */
  #of = new Map<string, Artefact[]>()
  #version = ''

  constructor(store: Store, engines: Engines) {
    this.#store = store
    this.#engines = engines
    this.dir = join(store.dir, 'artefacts')
  }

  /** Takes over what an earlier process of this version left, as far as it is whole and its segment is there; all else goes. */
  async open(version: string): Promise<void> {
    mkdirSync(this.dir, { recursive: true, mode: 0o700 })
    this.#version = version
    const known = new Set<string>()
    for (const artefact of readIndex(join(this.dir, 'index.json'), version)) {
      if (!this.hasSegment(artefact) || !(await this.isIntact(artefact))) continue
      known.add(artefact.file)
      this.#put(artefact)
    }
    for (const name of readdirSync(this.dir)) if (!known.has(name) && name !== 'index.json') rmSync(join(this.dir, name), { force: true })
  }

  pathOf({ file }: Artefact): string {
    return join(this.dir, file)
  }

  /** Of the segment with this path. */
  of(path: string): readonly Artefact[] {
    return this.#of.get(basename(path)) ?? []
  }

  get isEmpty(): boolean {
    return this.#of.size === 0
  }

  all(): Artefact[] {
    return [...this.#of.values()].flat()
  }

  hasSegment({ table, segment }: Pick<Artefact, 'table' | 'segment'>): boolean {
    return this.#store.tableNames().has(table) && this.#store.segments(table).some(({ file }) => file === segment)
  }

  /** Whether its file is what was written, as far as is known of it. */
  async isIntact(artefact: Artefact): Promise<boolean> {
    const path = this.pathOf(artefact)
    if (statSync(path, { throwIfNoEntry: false })?.size !== artefact.bytes) return false
    // It may go meanwhile.
    return artefact.sha256 === undefined || (await fileSha256(path).catch(() => '')) === artefact.sha256
  }

  add(artefact: Artefact): void {
    this.#put(artefact)
    this.#save()
  }

  drop(artefacts: readonly Artefact[]): void {
    if (artefacts.length === 0) return
    for (const artefact of artefacts) {
      const rest = (this.#of.get(artefact.segment) ?? []).filter((one) => one !== artefact)
      if (rest.length > 0) this.#of.set(artefact.segment, rest)
      else this.#of.delete(artefact.segment)
    }
    const copies = artefacts.filter(({ spec }) => spec.kind === 'native').map(({ file }) => file)
    if (copies.length > 0) for (const engine of this.#engines.all) engine.forgetCopies(copies)
    this.#store.discard(artefacts.map((artefact) => this.pathOf(artefact)))
    this.#save()
  }

  #put(artefact: Artefact): void {
    this.#of.set(artefact.segment, [...(this.#of.get(artefact.segment) ?? []), artefact])
  }

  #save(): void {
    replaceFile(join(this.dir, 'index.json'), JSON.stringify({ version: this.#version, artefacts: this.all() }))
  }
}

function readIndex(path: string, version: string): Artefact[] {
  try {
    const index = JSON.parse(readFileSync(path, 'utf8')) as { version: string; artefacts: Artefact[] }
    return index.version === version ? index.artefacts : []
  } catch {
    // None yet, or half of one: all is made anew.
    return []
  }
}
