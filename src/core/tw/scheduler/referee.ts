import { isSystem } from '../job-kind.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { meets } from '../constraint.ts'
import { allowanceOf, type Allowance } from '../entitlements/allowance.ts'
import { chargeOf } from '../entitlements/tables.ts'
import { amountOf, type GroupSpec } from '../job-spec.ts'
import { armRows, fromJson, groupSpecOf, jobRow, specOf, versionRow, type NodeRow } from '../rows.ts'
import { countIn, devicesIn, type Loaded, type Reserved } from '../tasks/load.ts'
import { FIRST_FINAL, UNKNOWN } from '../tasks/tables.ts'
import type { PlacedRecord } from '../tasks/records.ts'
import { attributesOf } from './fleet.ts'
import { poolOf } from './suitable.ts'

/** A slice of placements as a planner wants them. */
export interface Claim {
  job: string
  group: string
  version: number
  /** log position of the state it was planned on; null: the planner did not say */
  plannedAt: number | null
  records: readonly PlacedRecord[]
}

export interface Judgement {
  /** of the version; undefined when it has no such group. `record`: place in the claim */
  spec: GroupSpec | undefined
  /** what stands, in the order of the claim, each with its node's load, in which all of them are counted */
  accepted: { record: number; index: number; gpuMask: number; load: Loaded; address: string }[]
  refused: { record: number; index: number; node: string; reason: string }[]
}

/** What the referee knows of a node: its load, and of its row what decides about any group. */
type Site = Loaded &
  Pick<NodeRow, 'attributes' | 'labels' | 'is_cordoned'> & {
    position: number
    is_lost: number
    cpu_total: number
    memory_total: number
    disk_total: number
    /** once it was looked at */
    place?: Place
    /** why the node takes nothing of the group, whatever room it has; once it was looked at */
    refusal?: string | null
  }

/** What few groups ask about, so that it is read for these alone. */
type Place = Pick<NodeRow, 'name' | 'address' | 'region' | 'zone' | 'rack'> & { gpu_models: string }

const SITE_SQL = `SELECT l.id, l.cpu_milli, l.memory_bytes, l.disk_bytes, l.gpus, l.tasks, l.position, n.attributes, n.labels, n.is_cordoned,
    n.state = 'lost' AS is_lost, n.cpu_milli AS cpu_total, n.memory_bytes AS memory_total, n.disk_bytes AS disk_total
  FROM tw_node_load l JOIN tw_node n ON n.name = l.name WHERE l.id IN (SELECT value FROM json_each(?))`
const PLACE_SQL = `SELECT n.name, n.address, n.region, n.zone, n.rack, n.gpus AS gpu_models
  FROM tw_node_load l JOIN tw_node n ON n.name = l.name WHERE l.id = ?`

/**
 * Which placements of a slice may stand in the state as it is now. Knows nothing of any planner and trusts none: it reads
 * the group's live tasks and each node that a record touches, once, and counts (I2, I3, I4, I7).
 */
export function judge(db: ReadDb, claim: Claim): Judgement {
  const version = versionRow(db, claim.job, claim.version)
  const job = version && specOf(db, claim.job, claim.version)
  const spec = job && groupSpecOf(job, claim.group)
  const whole = spec === undefined ? 'the version has no such group' : wholeMisfit(db, claim)
  if (spec === undefined || whole !== null) {
    return { spec, accepted: [], refused: refuseAll(db, claim, whole ?? '') }
  }
  const allowed = allowanceOf(db).take(chargeOf(job?.entitlement ?? null, spec), claim.records.length)
  const judged = judgeRecords(db, claim, spec, allowed)
  if (!spec.isAllOrNothing || judged.refused.length === 0) return { spec, ...judged }
  const [first] = judged.refused
  return { spec, accepted: [], refused: refuseAll(db, claim, `${first?.reason ?? ''}; all of them or none`) }
}

function refuseAll(db: ReadDb, claim: Claim, reason: string): Judgement['refused'] {
  return claim.records.map(({ index, node }, record) => ({ record, index, node: nodeName(db, node), reason }))
}

/** Why nothing of the claim may stand, or null. */
function wholeMisfit(db: ReadDb, claim: Claim): string | null {
  if (jobRow(db, claim.job)?.state !== 'running') return 'the job is stopped'
  return armRows(db, claim.job, claim.group).some((arm) => arm.version === claim.version && arm.count > 0)
    ? null
    : 'stale: no arm wants this version any more'
}

function judgeRecords(
  db: ReadDb,
  claim: Claim,
  spec: GroupSpec,
  allowed: ReturnType<Allowance['take']>,
): Pick<Judgement, 'accepted' | 'refused'> {
  const sites = new Sites(db, spec, [...new Set(claim.records.map((record) => record.node))])
  const group = new GroupStand(db, claim, spec, sites)
  const { container } = spec
  const reserved = { cpuMilli: container.cpuMilli, memoryBytes: container.memoryBytes, diskBytes: container.diskBytes }
  const accepted: Judgement['accepted'] = []
  const refused: Judgement['refused'] = []
  for (const [record, { index, node, gpuMask, gpuMilli }] of claim.records.entries()) {
    const site = sites.of(node)
    const wants = { ...reserved, gpuMask, gpuMilli: gpuMask === 0 ? 0 : gpuMilli }
    const reason =
      site === undefined
        ? 'stale: the node is lost'
        : (sites.refusal(site) ??
          group.refusal(index, node) ??
          roomRefusal(site, sites, spec, wants, claim) ??
          sites.portRefusal(site) ??
          (accepted.length >= allowed.granted ? `stale: ${allowed.refusal?.why}` : null))
    if (site === undefined || reason !== null) {
      refused.push({ record, index, node: nodeName(db, node), reason: reason ?? '' })
      continue
    }
    countIn(site, wants, 1)
    group.take(index, node)
    sites.takePorts(site)
    accepted.push({ record, index, gpuMask, load: site, address: sites.addressOf(site) })
  }
  return { accepted, refused }
}

/** Capacity and devices. A misfit on a node that is as it was when planned is the planner's fault, and said so. */
function roomRefusal(site: Site, sites: Sites, spec: GroupSpec, wants: Reserved, claim: Claim): string | null {
  const lack =
    site.cpu_milli + wants.cpuMilli > site.cpu_total
      ? 'not enough cpu'
      : site.memory_bytes + wants.memoryBytes > site.memory_total
        ? 'not enough memory'
        : site.disk_bytes + wants.diskBytes > site.disk_total
          ? 'not enough disk'
          : deviceLack(site, sites, spec, wants)
  if (lack === null) return null
  return claim.plannedAt !== null && site.position <= claim.plannedAt ? `planned wrongly: ${lack}` : `stale: ${lack}`
}

function deviceLack(site: Site, sites: Sites, spec: GroupSpec, { gpuMask, gpuMilli }: Reserved): string | null {
  const { gpu } = spec.container
  if (gpu === null) return gpuMask === 0 ? null : 'the group asks for no GPU'
  const models = fromJson<{ model: string; count: number }[]>(sites.placeOf(site).gpu_models).flatMap(({ model, count }) =>
    Array.from({ length: count }, () => model),
  )
  const used = devicesIn(site)
  let count = 0
  for (let device = 0; gpuMask >> device > 0; device += 1) {
    if (((gpuMask >> device) & 1) === 0) continue
    count += 1
    const model = models[device]
    if (model === undefined || (gpu.models.length > 0 && !gpu.models.includes(model))) return 'no such GPU there'
    if ((used[device] ?? 0) + gpuMilli > 1000) return 'not enough GPU'
  }
  return count === gpu.count && gpuMilli === gpu.shareMilli ? null : 'another number of GPUs than the group asks for'
}

const OF_PLACE: ReadonlySet<string> = new Set(['node.name', 'node.region', 'node.zone', 'node.rack'])
const NOWHERE = { name: '', region: '', zone: '', rack: '' }

/** The nodes a slice touches, each read once. */
class Sites {
  readonly #db: ReadDb
  readonly #spec: GroupSpec
  readonly #sites = new Map<number, Site | undefined>()
  /** attributes → labels → verdict */
  readonly #verdicts = new Map<string, Map<string, string | null>>()
  readonly #ports: readonly number[]
  readonly #taken = new Set<string>()
  /** a constraint asks where the node is or what it is called, so nodes with the same attributes may differ */
  readonly #isByPlace: boolean

  constructor(db: ReadDb, spec: GroupSpec, nodes: readonly number[]) {
    this.#db = db
    this.#spec = spec
    this.#ports = Object.values(spec.container.ports).filter((port) => port > 0)
    this.#read(nodes)
    this.#isByPlace = spec.constraints.some(({ attribute }) => OF_PLACE.has(attribute))
  }

  /** Undefined when there is no such node. */
  of(node: number): Site | undefined {
    if (!this.#sites.has(node)) this.#read([node])
    return this.#sites.get(node)
  }

  #read(nodes: readonly number[]): void {
    for (const node of nodes) this.#sites.set(node, undefined)
    for (const site of this.#db.all<Site>(SITE_SQL, JSON.stringify(nodes))) this.#sites.set(site.id, site)
  }

  /** Why the node takes nothing of the group, whatever room it has. */
  refusal(site: Site): string | null {
    if (site.refusal === undefined)
      site.refusal = site.is_lost ? 'stale: the node is lost' : site.is_cordoned ? 'stale: the node is cordoned' : this.#verdict(site)
    return site.refusal
  }

  #verdict(site: Site): string | null {
    if (this.#isByPlace) return this.#mismatch({ ...site, ...this.placeOf(site) })
    const verdicts = this.#verdicts.get(site.attributes) ?? new Map<string, string | null>()
    this.#verdicts.set(site.attributes, verdicts)
    let verdict = verdicts.get(site.labels)
    if (verdict === undefined) {
      verdict = this.#mismatch({ ...site, ...NOWHERE })
      verdicts.set(site.labels, verdict)
    }
    return verdict
  }

  /** What is asked of few nodes. */
  placeOf(site: Site): Place {
    return (site.place ??= must(this.#db.get<Place>(PLACE_SQL, site.id), 'the node of a load'))
  }

  /** Where its static ports are held; empty when the group has none. */
  addressOf(site: Site): string {
    return this.#ports.length === 0 ? '' : this.placeOf(site).address
  }

  #mismatch(node: Parameters<typeof attributesOf>[0]): string | null {
    const attributes = attributesOf(node)
    const { pool, constraints } = this.#spec
    if (poolOf(attributes) !== (pool ?? 'default')) return 'stale: the node is of another pool'
    return constraints.some((constraint) => !meets(constraint, attributes)) ? 'stale: the node fails a constraint' : null
  }

  /** The value of an attribute that tasks are counted by; of nodes themselves their id. */
  value(node: number, attribute: string): string | number {
    if (attribute === 'node') return node
    const site = this.of(node)
    if (site === undefined) return ''
    const place = this.placeOf(site)
    if (attribute === 'region' || attribute === 'zone' || attribute === 'rack') return place[attribute]
    return attributesOf({ ...site, ...place })[attribute] ?? ''
  }

  portRefusal(site: Site): string | null {
    const address = this.addressOf(site)
    const isTaken = this.#ports.some(
      (port) =>
        this.#taken.has(`${address}:${port}`) ||
        this.#db.get('SELECT task FROM tw_port WHERE address = ? AND port = ?', address, port) !== undefined,
    )
    return isTaken ? 'stale: the port is taken' : null
  }

  takePorts(site: Site): void {
    for (const port of this.#ports) this.#taken.add(`${this.addressOf(site)}:${port}`)
  }
}

/** The live tasks of the group, which the records join one after the other. */
class GroupStand {
  readonly #sites: Sites
  readonly #indexes = new Set<number>()
  /** per `distinct` rule: value → live tasks */
  readonly #rules: { attribute: string; max: number; counts: Map<string | number, number> }[]
  #room: number

  constructor(db: ReadDb, claim: Claim, spec: GroupSpec, sites: Sites) {
    this.#sites = sites
    this.#rules = spec.distinct.map((rule) => ({ ...rule, counts: new Map() }))
    const live = db.all<{ idx: number; node: number; isWanted: number }>(
      // Who is unknown may be replaced.
      `SELECT p.idx, p.node, p.want = 0 AND p.state <> ${UNKNOWN} AS isWanted FROM tw_slice s JOIN tw_placed p ON p.slice = s.id AND p.id BETWEEN s.id AND s.last
         WHERE s.job = ? AND s.grp = ? AND p.state < ${FIRST_FINAL}`,
      claim.job,
      claim.group,
    )
    let running = 0
    for (const { idx, node, isWanted } of live) {
      this.#indexes.add(idx)
      running += isWanted
      this.#count(node)
    }
    this.#room = roomOf(db, claim) - running
  }

  refusal(index: number, node: number): string | null {
    if (this.#indexes.has(index)) return 'stale: the index is in use'
    if (this.#room <= 0) return 'stale: the group has as many tasks as it may have'
    const isFull = this.#rules.some(({ attribute, max, counts }) => (counts.get(this.#sites.value(node, attribute)) ?? 0) >= max)
    return isFull ? 'stale: the group has as many tasks there as `distinct` allows' : null
  }

  take(index: number, node: number): void {
    this.#indexes.add(index)
    this.#room -= 1
    this.#count(node)
  }

  #count(node: number): void {
    for (const { attribute, counts } of this.#rules) {
      const value = this.#sites.value(node, attribute)
      counts.set(value, (counts.get(value) ?? 0) + 1)
    }
  }
}

/** How many tasks that are to run a group may have: what its arms want and the surplus of an update (I3). */
function roomOf(db: ReadDb, { job, group }: Claim): number {
  const { kind } = must(jobRow(db, job), 'the job')
  // One for each eligible node: their number is not the group's.
  if (isSystem(kind)) return Infinity
  const arms = armRows(db, job, group).filter((arm) => arm.count > 0)
  const total = arms.reduce((sum, arm) => sum + arm.count, 0)
  const surges = arms.map((arm) => {
    const spec = groupSpecOf(specOf(db, job, arm.version), group)
    return spec === undefined ? 0 : amountOf(spec.maxSurge, total, 'up')
  })
  return total + Math.max(0, ...surges)
}

function nodeName(db: ReadDb, node: number): string {
  return db.get<{ name: string }>('SELECT name FROM tw_node_load WHERE id = ?', node)?.name ?? `#${node}`
}
