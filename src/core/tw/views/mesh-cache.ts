import type { Entry } from '../../contracts/entry.ts'
import type { MeshService } from '../../contracts/mesh.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { touchesOf } from '../controllers/touches.ts'
import type { MeshServiceRow } from '../rows.ts'
import { groupsOfTasks, idsOnNodes } from '../tasks/read.ts'
import { meshService } from './mesh-snapshot.ts'

/** Entries about the traffic of the one service they name. */
const OF_SERVICE = /^tw\.(Split|Fault|Service)/
/** Afterwards nothing tells which tasks the node had. */
const NODE_GONE = /^tw\.(NodeRetired|NodesForgotten)$/

interface Kept {
  row: MeshServiceRow
  service: MeshService
  /** as JSON */
  text: string
}

/**
 * What the proxies work from, kept beside the state: a service is read anew when an entry touched it, its group, or a node that has tasks of
 * its group. Soft; it says what `meshSnapshot` would.
 */
export class MeshCache {
  /** in the order of their names; null: nothing is known */
  #kept: Map<string, Kept> | null = null
  /** position of the entry to come */
  #next = 0
  readonly #services = new Set<string>()
  /** `JOB/GROUP` */
  readonly #groups = new Set<string>()
  readonly #jobs = new Set<string>()

  /** What became of the state; `db` holds it as it is after the last of them. */
  apply(db: ReadDb, entries: readonly Entry[]): void {
    // Something was not told: before this followed, or while another state took the place of this one.
    if (entries[0]?.position !== this.#next) this.#kept = null
    this.#next = (entries.at(-1)?.position ?? 0) + 1
    for (const entry of entries) if (this.#kept !== null && entry.type.startsWith('tw.')) this.#touch(db, entry)
  }

  #touch(db: ReadDb, entry: Entry): void {
    const { service } = entry.body as { service?: string }
    if (OF_SERVICE.test(entry.type) && service !== undefined) {
      this.#services.add(service)
      return
    }
    const touches = touchesOf(db, entry)
    if (touches === null || NODE_GONE.test(entry.type)) {
      this.#kept = null
      return
    }
    for (const job of touches.jobs) this.#jobs.add(job)
    for (const { job, group } of [...touches.groups, ...groupsOfTasks(db, idsOnNodes(db, touches.nodes))])
      this.#groups.add(`${job}/${group}`)
  }

  /** By name, with the JSON of all of them. */
  services(db: ReadDb): { services: MeshService[]; text: string } {
    const known = this.#kept
    const rows =
      known === null || this.#services.size > 0 || this.#jobs.size > 0 ? serviceRows(db) : [...known.values()].map(({ row }) => row)
    const kept = new Map<string, Kept>()
    for (const row of rows) {
      const before = this.#isTouched(row) ? undefined : known?.get(row.name)
      kept.set(row.name, before ?? keptOf(db, row))
    }
    this.#kept = kept
    for (const touched of [this.#services, this.#groups, this.#jobs]) touched.clear()
    const all = [...kept.values()]
    return { services: all.map(({ service }) => service), text: `[${all.map(({ text }) => text).join(',')}]` }
  }

  #isTouched({ name, job, grp }: MeshServiceRow): boolean {
    return this.#services.has(name) || this.#jobs.has(job) || this.#groups.has(`${job}/${grp}`)
  }
}

function serviceRows(db: ReadDb): MeshServiceRow[] {
  return db.all<MeshServiceRow>('SELECT * FROM tw_mesh_service ORDER BY name')
}

function keptOf(db: ReadDb, row: MeshServiceRow): Kept {
  const service = meshService(db, row)
  return { row, service, text: JSON.stringify(service) }
}
