import { meets } from '../constraint.ts'
import type { GroupSpec } from '../job-spec.ts'
import type { Fleet, FleetNode } from './fleet.ts'

/** Where the tasks of a group stand already, counted by the planner's caller. */
export interface Standing {
  /** node of each live task of the version that is being placed */
  sameVersion: readonly string[]
  /** node of each live task of the group, any version */
  group: readonly string[]
  /** nodes where tasks of the group failed or were lost within the last hour */
  avoid: ReadonlySet<string>
}

export interface Placement {
  index: number
  node: string
  /** score parts, for `tw explain` */
  why: string
}

/** Nodes each filter took away, in the order the filters run; a node is counted at the first that takes it. */
export interface FilterCounts {
  nodes: number
  lost: number
  draining: number
  cordoned: number
  /** text of the constraint → nodes */
  constraints: Record<string, number>
  /** nodes too small even when empty */
  size: number
  cpu: number
  memory: number
  ports: number
}

export interface Plan {
  placements: Placement[]
  /** indexes without a place, and what took the nodes away at the first of them */
  unplaced: number[]
  filters: FilterCounts | null
}

/**
 * Places tasks one after the other. Pure: the same fleet and request give the same plan; ties go to the lowest name,
 * never to chance. It counts down `fleet`, so that one fleet serves several groups in turn.
 */
export function plan(fleet: Fleet, group: GroupSpec, indexes: readonly number[], standing: Standing): Plan {
  const byName = new Map(fleet.nodes.map((node) => [node.name, node]))
  const counts = group.spread.map(({ attribute: key }) => ({
    key,
    same: tally(standing.sameVersion, key, byName),
    all: tally(standing.group, key, byName),
  }))
  const statics = Object.values(group.container.ports).filter((port) => port > 0)
  const result: Plan = { placements: [], unplaced: [], filters: null }
  for (const index of indexes) {
    const { feasible, filters } = feasibleNodes(fleet, group, statics)
    let best: { node: FleetNode; score: number[] } | null = null
    for (const node of feasible) {
      const score = scoreOf(node, group, counts, standing.avoid)
      if (best === null || isLess(score, best.score)) best = { node, score }
    }
    if (best === null) {
      result.unplaced.push(index)
      result.filters ??= filters
      continue
    }
    const { node, score } = best
    node.cpuFree -= group.container.cpuMilli
    node.memoryFree -= group.container.memoryBytes
    for (const port of statics) fleet.portsTaken.add(`${node.address}:${port}`)
    for (const count of counts) {
      const value = node.attributes[count.key === 'node' ? 'name' : count.key] ?? ''
      count.same.set(value, (count.same.get(value) ?? 0) + 1)
      count.all.set(value, (count.all.get(value) ?? 0) + 1)
    }
    result.placements.push({ index, node: node.name, why: whyText(group, score, feasible.length, fleet.nodes.length) })
  }
  return result
}

/** The nodes that can take one more task of the group now, and what took away the others. */
export function feasibleNodes(
  fleet: Fleet,
  group: GroupSpec,
  statics: readonly number[],
): { feasible: FleetNode[]; filters: FilterCounts } {
  const filters: FilterCounts = {
    nodes: fleet.nodes.length,
    lost: 0,
    draining: 0,
    cordoned: 0,
    constraints: {},
    size: 0,
    cpu: 0,
    memory: 0,
    ports: 0,
  }
  const feasible = fleet.nodes.filter((node) => {
    if (node.closed !== null) {
      filters[node.closed] += 1
      return false
    }
    const failed = group.constraints.find((constraint) => !meets(constraint, node.attributes))
    if (failed) {
      filters.constraints[failed.text] = (filters.constraints[failed.text] ?? 0) + 1
      return false
    }
    const { cpuMilli, memoryBytes } = group.container
    if (cpuMilli > node.cpuMilli || memoryBytes > node.memoryBytes) filters.size += 1
    else if (cpuMilli > node.cpuFree) filters.cpu += 1
    else if (memoryBytes > node.memoryFree) filters.memory += 1
    else if (statics.some((port) => fleet.portsTaken.has(`${node.address}:${port}`))) filters.ports += 1
    else return true
    return false
  })
  return { feasible, filters }
}

interface SpreadCount {
  key: string
  same: Map<string, number>
  all: Map<string, number>
}

/**
 * Smaller is better, compared part by part: not where it failed, then even over each spread key (first of its version,
 * then of the group), then by the cosine of demand and free capacity (`facts`, placement), quantised so that near-equal
 * is equal, then the fuller node. The fleet is in order of names, and the first of equals stays.
 */
function scoreOf(node: FleetNode, group: GroupSpec, counts: readonly SpreadCount[], avoid: ReadonlySet<string>): number[] {
  const spread = counts.flatMap(({ key, same, all }) => {
    const value = node.attributes[key === 'node' ? 'name' : key] ?? ''
    return [same.get(value) ?? 0, all.get(value) ?? 0]
  })
  const fit = Math.round(
    100 *
      cosine(
        group.container.cpuMilli / node.cpuMilli,
        group.container.memoryBytes / node.memoryBytes,
        node.cpuFree / node.cpuMilli,
        node.memoryFree / node.memoryBytes,
      ),
  )
  const fullness = Math.round((100 * node.cpuFree) / node.cpuMilli)
  return [avoid.has(node.name) ? 1 : 0, ...spread, 100 - fit, fullness]
}

function cosine(ax: number, ay: number, bx: number, by: number): number {
  const length = Math.sqrt((ax * ax + ay * ay) * (bx * bx + by * by))
  return length === 0 ? 0 : (ax * bx + ay * by) / length
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < a.length; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

function tally(nodes: readonly string[], key: string, byName: ReadonlyMap<string, FleetNode>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of nodes) {
    const value = key === 'node' ? name : (byName.get(name)?.attributes[key] ?? '')
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  return counts
}

function whyText(group: GroupSpec, score: readonly number[], feasible: number, nodes: number): string {
  const spread = group.spread.map(({ attribute: key }, i) => `${score[1 + 2 * i] ?? 0} of its version in the ${key} before`)
  const fit = 100 - (score[1 + 2 * group.spread.length] ?? 0)
  return [`${feasible} of ${nodes} nodes could take it`, ...spread, `fit ${fit}`, ...(score[0] ? ['it failed there before'] : [])].join(
    ', ',
  )
}

/** One sentence: why no node took it. */
export function filterText(filters: FilterCounts): string {
  const parts: string[] = []
  const add = (count: number, what: string): void => {
    if (count > 0) parts.push(`${count} ${what}`)
  }
  add(filters.lost, 'lost')
  add(filters.draining, 'draining')
  add(filters.cordoned, 'cordoned')
  for (const [text, count] of Object.entries(filters.constraints)) add(count, `failed \`${text}\``)
  add(filters.size, 'too small even when empty')
  add(filters.cpu, 'without enough free cpu')
  add(filters.memory, 'without enough free memory')
  add(filters.ports, 'with the port taken')
  return `0 of ${filters.nodes} nodes can take it: ${parts.join(', ') || 'the fleet has no node'}`
}

/** True when waiting cannot help: every node that is there is too small or fails a constraint. */
export function isInfeasible(filters: FilterCounts): boolean {
  const never = filters.size + Object.values(filters.constraints).reduce((sum, count) => sum + count, 0)
  return (
    never === filters.nodes - filters.lost - filters.draining - filters.cordoned &&
    filters.lost + filters.draining + filters.cordoned < filters.nodes
  )
}
