import type { Entry } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { allowanceOf } from '../entitlements/allowance.ts'
import type { TaskCharge } from '../entitlements/tables.ts'
import { groupRows, groupSpecOf, jobRow, nodeRow, specOf, versionRow, type DrainRow, type JobRow } from '../rows.ts'
import { demandOf, type Demand } from '../scheduler/demand.ts'
import { imageOf, nodeFacts } from '../scheduler/fleet.ts'
import type { FleetImage } from '../scheduler/image.ts'
import { devicesIn, loadNames, loadSumsOfNamed } from '../tasks/load.ts'
import { groupsOfTasks, idsOnNodes, isWholeSlice, portsAt, portsHeld } from '../tasks/read.ts'
import { tallyOf } from '../tasks/tally.ts'
import { DueTimes } from './due-times.ts'
import { GpuHolders } from './gpu-holders.ts'
import { idsOf, touchesOf, type PlacedSlice } from './touches.ts'
import type { WaitingCode } from './waiting.ts'
import { earliest } from './wake.ts'

/** A group by name. */
export interface GroupKey {
  job: string
  group: string
}

/**
 * `check`: its tasks changed, which most often asks for nothing; `full`: what is wanted of it changed, or the nodes it is on,
 * or its time has come.
 */
export type Look = 'check' | 'full'

/** What keeps tasks of a group from being placed, as its last look found it. */
export interface Waiting {
  /** what one more task takes, of those that lack room */
  demands: Demand[]
  /** some of them keep the share of a domain, which is another one when nodes come or go */
  keepsShare: boolean
  /** what one more task takes from its owner, of those that lack its allowance */
  claims: TaskCharge[]
  /** for people */
  reasons: { count: number; code: WaitingCode; why: string }[]
}

interface Marked {
  key: GroupKey
  look: Look
  /** somebody asked for something else of it */
  isAsked: boolean
}

export const NOTHING_WAITS: Waiting = { demands: [], keepsShare: false, claims: [], reasons: [] }

/** Groups looked at without cause, a few now and then: what was missed costs this much at most. */
const SWEEP_EVERY_MS = 10_000
const SWEEP_GROUPS = 3

/**
 * What the controllers would else read anew at each decision: the planner's image of the fleet, and which groups have
 * something to be decided. Kept by applied entries, each at a cost that follows what it touches; soft, so built again from
 * the state when a position is missing.
 */
export class FleetCache {
  #image: FleetImage | null = null
  /** of the last entry that is in it */
  #position = -1
  /** priority → groups in the order they came */
  readonly #queue = new Map<number, Map<string, Marked>>()
  readonly #bandOf = new Map<string, number>()
  readonly #due = new DueTimes()
  /** groups that lack room, and what one more task of each takes */
  readonly #blocked = new Map<string, { key: GroupKey; demands: Demand[]; keepsShare: boolean }>()
  /** groups whose owner may not place more, and what one more task of each takes from it */
  readonly #overQuota = new Map<string, { key: GroupKey; claims: TaskCharge[] }>()
  /** why tasks of groups have no place, by `JOB/GROUP` */
  readonly #reasons = new Map<string, Waiting['reasons']>()
  /** groups whose last full look asked for nothing, or for places alone */
  readonly #quiet = new Set<string>()
  readonly #gpuHolders = new GpuHolders()
  /** groups whose tasks changed by the entries that are being taken in */
  readonly #touched = new Map<string, GroupKey>()
  /** some group asks for a static port, or did */
  #hasPorts = false
  #sweptAt: number | null = null
  #sweptTo = ''

  /** What became of the state; `db` holds it as it is after the last of them. */
  apply(db: ReadDb, entries: readonly Entry[]): void {
    const [first] = entries
    if (first === undefined || this.#image === null) return
    if (first.position !== this.#position + 1) return this.#drop()
    // What is counted comes before what is read, since that has all of it.
    const toRead = new Set<string>()
    const draining = new Set(openDrains(db).map((drain) => drain.node))
    for (const entry of entries) {
      if (entry.type.startsWith('tw.')) this.#applyOne(db, this.#image, entry, draining, toRead)
      this.#position = entry.position
      // It was dropped: it is read from the state when it is asked for.
      if (this.#image === null) return
    }
    for (const key of this.#touched.values()) this.#gpuHolders.read(db, this.#image, key, true)
    this.#touched.clear()
    if (toRead.size > 0) this.#readLoads(db, this.#image, [...toRead])
    // What is placed frees nothing.
    if (this.#overQuota.size > 0 && entries.some(({ type }) => type.startsWith('tw.') && type !== 'tw.TasksPlaced')) this.#wakeOverQuota(db)
  }

  /** @param position of the last entry in `db` */
  image(db: ReadDb, position: number): FleetImage {
    if (this.#image === null) {
      this.#image = imageOf(db)
      this.#position = position
      this.#hasPorts = portsHeld(db).length > 0
      for (const job of db.all<JobRow>('SELECT * FROM tw_job ORDER BY priority DESC, name'))
        for (const group of groupRows(db, job.name)) {
          const key = { job: job.name, group: group.name }
          // Of those that do not serve yet it is not known here since when.
          const isReady = tallyOf(db, job.name, group.name).every((tally) => tally.ready === tally.active)
          if (isReady) this.#quiet.add(nameOf(key))
          this.#mark(db, key, isReady ? 'check' : 'full')
          this.#gpuHolders.read(db, this.#image, key, false)
        }
      this.#markNodes(
        db,
        openDrains(db).map(({ node }) => node),
      )
      this.#touched.clear()
    }
    return this.#image
  }

  /** The image if it is there and has exactly the entries up to this position; it never has a part of the state that a transaction may take back. */
  imageAt(position: number): FleetImage | null {
    return this.#position === position ? this.#image : null
  }

  #drop(): void {
    this.#image = null
    this.#queue.clear()
    this.#bandOf.clear()
    this.#blocked.clear()
    this.#overQuota.clear()
    this.#reasons.clear()
    this.#quiet.clear()
    this.#gpuHolders.clear()
    this.#touched.clear()
  }

  /** @param toRead takes the nodes whose loads are to be read */
  #applyOne(db: ReadDb, image: FleetImage, entry: Entry, draining: ReadonlySet<string>, toRead: Set<string>): void {
    const touches = touchesOf(db, entry)
    if (touches === null) return this.#drop()
    for (const key of touches.groups) this.#mark(db, key, touches.look, touches.isAsked)
    if (touches.placed !== null) for (const node of this.#countPlaced(db, image, touches.placed, entry.position)) toRead.add(node)
    for (const job of touches.jobs)
      for (const group of groupRows(db, job)) this.#mark(db, { job, group: group.name }, 'full', touches.isAsked)
    for (const node of touches.nodes) {
      const row = nodeRow(db, node)
      if (row === undefined) image.dropNode(node)
      else image.setNode(nodeFacts(row, draining.has(node)))
    }
    if (touches.nodes.length > 0) {
      this.#markSystemJobs(db)
      for (const { key, keepsShare } of this.#blocked.values()) if (keepsShare) this.#mark(db, key, 'full')
    }
    // Whoever is to leave a drained node last waits for the others there.
    this.#markNodes(db, [...touches.nodes, ...touches.loads.filter((node) => draining.has(node))])
    for (const node of [...touches.nodes, ...touches.loads]) toRead.add(node)
  }

  #wakeOverQuota(db: ReadDb): void {
    const allowance = allowanceOf(db)
    for (const [group, { key, claims }] of this.#overQuota) {
      const mayPlace = claims.some((claim) => {
        const { granted } = allowance.take(claim, 1)
        allowance.giveBack(claim, granted)
        return granted > 0
      })
      if (!mayPlace) continue
      this.#overQuota.delete(group)
      this.#mark(db, key, 'full')
    }
  }

  /** Counts the tasks of a slice; gives the nodes whose loads have to be read to know what became of it. */
  #countPlaced(db: ReadDb, image: FleetImage, { job, group, version, records }: PlacedSlice, position: number): Iterable<string> {
    const spec = versionRow(db, job, version) && groupSpecOf(specOf(db, job, version), group)
    const toRead = (): Iterable<string> => loadNames(db, idsOf(records)).values()
    if (spec === undefined) return toRead()
    const demand = demandOf(spec)
    const { gpu, ports } = demand
    if (ports.length > 0) this.#hasPorts = true
    const nodes = records.flatMap((record) => image.ofId(record.node) ?? [])
    const isKnown = gpu === null && ports.length === 0 && nodes.length === records.length
    if (!isKnown || !isWholeSlice(db, { job, group, position, count: records.length })) return toRead()
    for (const node of nodes) image.applyTask(node, demand, 1)
    return []
  }

  #markNodes(db: ReadDb, nodes: readonly string[]): void {
    for (const key of groupsOfTasks(db, idsOnNodes(db, nodes))) this.#mark(db, key, 'full')
  }

  /** They want one task for each eligible node. */
  #markSystemJobs(db: ReadDb): void {
    for (const { name: job } of db.all<Pick<JobRow, 'name'>>("SELECT name FROM tw_job WHERE kind IN ('system', 'sysbatch')"))
      for (const group of groupRows(db, job)) this.#mark(db, { job, group: group.name }, 'full')
  }

  /** Takes loads as the state has them, and wakes who lacked what is free there now. */
  #readLoads(db: ReadDb, image: FleetImage, nodes: readonly string[]): void {
    for (const load of loadSumsOfNamed(db, nodes)) {
      const node = image.indexOf(load.name)
      if (node === undefined) continue
      image.setId(node, load.id)
      image.holdSum(node, load)
      if (image.gpuCount[node] !== 0) image.setDevices(node, devicesIn(load))
      if (this.#hasPorts) image.setPorts(node, portsAt(db, load.name))
      for (const [group, { key, demands }] of this.#blocked) {
        if (!demands.some((demand) => image.fits(node, demand))) continue
        this.#blocked.delete(group)
        this.#mark(db, key, 'full')
      }
    }
  }

  #mark(db: ReadDb, key: GroupKey, look: Look, isAsked = false): void {
    const name = nameOf(key)
    this.#touched.set(name, key)
    if (look === 'full') this.#quiet.delete(name)
    const marked = this.#queue.get(this.#bandOf.get(name) ?? -1)?.get(name)
    if (marked?.look === 'full' && (marked.isAsked || !isAsked)) return
    const priority = jobRow(db, key.job)?.priority ?? 0
    const band = this.#queue.get(priority) ?? new Map<string, Marked>()
    this.#queue.set(priority, band)
    if (marked !== undefined && this.#bandOf.get(name) !== priority) this.#takeOut(name)
    band.set(name, { key, look, isAsked })
    this.#bandOf.set(name, priority)
  }

  /**
   * Groups to look at now, by priority; then whoever asked for something, so that a new job does not wait for a hundred thousand failures of
   * others; then by arrival. They stay until {@link done} or {@link later}.
   */
  *groups(db: ReadDb, now: number): Generator<{ key: GroupKey; look: Look; isQuiet: boolean }> {
    for (const name of this.#due.take(now)) this.#mark(db, keyOf(name), 'full')
    this.#sweep(db, now)
    for (const priority of [...this.#queue.keys()].sort((a, b) => b - a)) {
      const band = [...(this.#queue.get(priority) ?? [])]
      for (const isAsked of [true, false])
        for (const [name, { key, look }] of band.filter(([, it]) => it.isAsked === isAsked))
          yield { key, look, isQuiet: this.#quiet.has(name) }
    }
  }

  #sweep(db: ReadDb, now: number): void {
    if (this.#sweptAt !== null && now - this.#sweptAt < SWEEP_EVERY_MS) return
    const isFirst = this.#sweptAt === null
    this.#sweptAt = now
    if (isFirst) return
    const rows = db.all<{ job: string; name: string }>(
      "SELECT job, name FROM tw_group WHERE job || '/' || name > ? ORDER BY job || '/' || name LIMIT ?",
      this.#sweptTo,
      SWEEP_GROUPS,
    )
    this.#sweptTo = rows.length < SWEEP_GROUPS ? '' : `${rows.at(-1)?.job}/${rows.at(-1)?.name}`
    for (const { job, name } of rows) this.#mark(db, { job, group: name }, 'full')
  }

  /** Why tasks of a group had no place when it was last looked at. */
  reasonsOf(key: GroupKey): Waiting['reasons'] {
    return this.#reasons.get(nameOf(key)) ?? []
  }

  /** The group asked for nothing. */
  done(key: GroupKey, wakeAt: number | null, { demands, keepsShare, claims, reasons }: Waiting, isQuiet: boolean): void {
    const name = nameOf(key)
    this.#takeOut(name)
    this.#due.set(name, wakeAt)
    if (demands.length > 0) this.#blocked.set(name, { key, demands, keepsShare })
    else this.#blocked.delete(name)
    if (claims.length > 0) this.#overQuota.set(name, { key, claims })
    else this.#overQuota.delete(name)
    if (reasons.length > 0) this.#reasons.set(name, reasons)
    else this.#reasons.delete(name)
    if (isQuiet) this.#quiet.add(name)
  }

  /** By its counts alone the group asks for nothing; `deadline`: of the tasks that do not serve yet, if those are new. */
  settled(key: GroupKey, deadline: number | null): void {
    this.done(key, earliest([this.#due.of(nameOf(key)), deadline]), NOTHING_WAITS, true)
  }

  /**
   * What the group asked for is on its way into the log: it is looked at again behind the others of its band, and at `wakeAt` for what it
   * has besides.
   * @param isQuiet it asked for places alone, so with these it has all it wants
   */
  later(key: GroupKey, wakeAt: number | null, isQuiet: boolean): void {
    const name = nameOf(key)
    this.#due.set(name, wakeAt)
    const band = this.#queue.get(this.#bandOf.get(name) ?? 0)
    if (band?.delete(name)) band.set(name, { key, look: 'check', isAsked: false })
    if (isQuiet) this.#quiet.add(name)
    else this.#quiet.delete(name)
  }

  #takeOut(name: string): void {
    const priority = this.#bandOf.get(name)
    this.#bandOf.delete(name)
    const band = priority === undefined ? undefined : this.#queue.get(priority)
    band?.delete(name)
    if (priority !== undefined && band?.size === 0) this.#queue.delete(priority)
  }

  /** When the next group wants to be looked at though nothing happens. */
  wakeAt(): number | null {
    return this.#due.first()
  }
}

function openDrains(db: ReadDb): DrainRow[] {
  return db.all<DrainRow>('SELECT * FROM tw_drain WHERE finished_at IS NULL')
}

function nameOf({ job, group }: GroupKey): string {
  return `${job}/${group}`
}

function keyOf(name: string): GroupKey {
  const [job = '', group = ''] = name.split('/')
  return { job, group }
}
