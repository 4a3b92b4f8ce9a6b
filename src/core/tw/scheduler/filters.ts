// oxlint-disable typescript/no-non-null-assertion -- indices are of nodes and classes of the image; a check for each read would double the cost
import { meets } from '../constraint.ts'
import type { Demand } from './demand.ts'
import type { Closed, FleetImage } from './image.ts'
import type { Slice } from './slice.ts'
import { poolOf } from './suitable.ts'

/** What can be short on a node now. */
export type Dimension = 'cpu' | 'memory' | 'disk' | 'gpu' | 'ports'

/** Nodes each filter took away, in the order the filters run; a node is counted at the first that takes it. */
export interface FilterCounts {
  nodes: number
  lost: number
  draining: number
  cordoned: number
  /** something is wrong with the machine: a full disk and the like */
  condition: number
  /** of another pool */
  pool: number
  /** text of the constraint → nodes */
  constraints: Record<string, number>
  /** nodes too small even when empty */
  size: number
  cpu: number
  memory: number
  disk: number
  gpu: number
  ports: number
  /** the group has as many tasks there, or in its rack and so on, as it allows */
  distinct: number
  /** one more there would go past a hard spread */
  spread: number
  /** of the nodes that lack one thing only: how little (thousandths of a core, or bytes), and on how many */
  nearest: { dimension: 'cpu' | 'memory' | 'disk'; short: number; nodes: number }[]
}

/** What takes each node away from one more task of the slice. */
export function filtersOf(image: FleetImage, slice: Slice): FilterCounts {
  const { demand, suitable } = slice
  const counts: FilterCounts = {
    nodes: image.size,
    lost: 0,
    draining: 0,
    cordoned: 0,
    condition: 0,
    pool: 0,
    constraints: {},
    size: 0,
    cpu: 0,
    memory: 0,
    disk: 0,
    gpu: 0,
    ports: 0,
    distinct: 0,
    spread: 0,
    nearest: [],
  }
  const failed = new Int32Array(slice.texts.length)
  const near = new Nearest()
  for (let place = 0; place < image.size; place += 1) {
    const node = image.order[place]!
    if (image.closed[node] !== 0) {
      const closed = image.closedOf(node)!
      counts[closed === 'lost' || closed === 'draining' || closed === 'cordoned' ? closed : 'condition'] += 1
      continue
    }
    const verdict = suitable.failed[image.classOf[node]!]!
    if (verdict === 0) counts.pool += 1
    else if (verdict > 0) failed[verdict - 1]! += 1
    else {
      const byName = suitable.byName.find((constraint) => !meets(constraint, { name: image.names[node]! }))
      if (byName !== undefined) failed[slice.texts.indexOf(byName.text)]! += 1
      else if (isTooSmall(image, node, demand)) counts.size += 1
      else {
        const short = shortOf(image, node, demand)
        if (short !== null) {
          counts[short] += 1
          near.add(image, node, demand)
        } else if (!slice.isDistinct(node)) counts.distinct += 1
        else counts.spread += 1
      }
    }
  }
  failed.forEach((nodes, i) => {
    if (nodes > 0) counts.constraints[slice.texts[i]!] = nodes
  })
  counts.nearest = near.all()
  return counts
}

/** Why one node does not take one more task of the slice, in words; null when it would. */
export function refusalOf(image: FleetImage, slice: Slice, node: number): string | null {
  const { demand } = slice
  const closed: Closed | null = image.closedOf(node)
  const name = image.names[node] ?? ''
  if (closed !== null) return `${name} takes nothing: it is ${closed}`
  const attributes = { ...image.classes[image.classOf[node]!]!.attributes, name }
  if (slice.suitable.failed[image.classOf[node]!] === 0)
    return `${name} is of the pool ${poolOf(attributes)}, the group wants ${slice.pool}`
  const failed = slice.constraints.find((constraint) => !meets(constraint, attributes))
  if (failed) {
    const key = failed.attribute.slice('node.'.length)
    const actual = (attributes as Record<string, string>)[key]
    return `${name} fails \`${failed.text}\`: ${actual === undefined ? `it has no ${key}` : `its ${key} is ${actual}`}`
  }
  const wanted = [
    ['cpu', demand.cpuMilli, image.cpuFree[node]!, image.cpuTotal[node]!],
    ['memory', demand.memoryBytes, image.memoryFree[node]!, image.memoryTotal[node]!],
    ['disk', demand.diskBytes, image.diskFree[node]!, image.diskTotal[node]!],
  ] as const
  const lacks = wanted.flatMap(([what, want, free, total]) =>
    want > total
      ? [`${amountText(what, want)} ${what} are more than its ${amountText(what, total)}`]
      : want > free
        ? [`${amountText(what, want - free)} ${what} are lacking (wanted ${amountText(what, want)}, free ${amountText(what, free)})`]
        : [],
  )
  if (demand.gpu !== null) {
    const { gpu } = demand
    const { free, all } = image.countDevices(node, gpu)
    const what = `${gpu.milli === 1000 ? '' : `${gpu.milli / 10} % of `}GPU${gpu.models.length > 0 ? ` of ${gpu.models.join(' or ')}` : ''}`
    if (free < gpu.count) lacks.push(`${gpu.count} × ${what} wanted, it has ${all} and of them ${free} with so much free`)
  }
  if (!image.hasPorts(node, demand.ports)) lacks.push(`a port of ${demand.ports.join(', ')} is taken there`)
  if (lacks.length > 0) return `${name} cannot take it: ${lacks.join('; ')}`
  if (!slice.isDistinct(node)) return `${name} cannot take it: the group has as many tasks there as \`distinct\` allows`
  const ahead = slice.aheadOf(node)
  return ahead === null ? null : `${name} cannot take it: its ${ahead} is ahead of the hard spread`
}

function isTooSmall(image: FleetImage, node: number, demand: Demand): boolean {
  return (
    demand.cpuMilli > image.cpuTotal[node]! ||
    demand.memoryBytes > image.memoryTotal[node]! ||
    demand.diskBytes > image.diskTotal[node]! ||
    (demand.gpu !== null && image.countDevices(node, demand.gpu).all < demand.gpu.count)
  )
}

function shortOf(image: FleetImage, node: number, demand: Demand): Dimension | null {
  if (demand.cpuMilli > image.cpuFree[node]!) return 'cpu'
  if (demand.memoryBytes > image.memoryFree[node]!) return 'memory'
  if (demand.diskBytes > image.diskFree[node]!) return 'disk'
  if (demand.gpu !== null && image.chooseDevices(node, demand.gpu) === 0) return 'gpu'
  return image.hasPorts(node, demand.ports) ? null : 'ports'
}

/** Of the nodes that lack exactly one thing: how little, and on how many so little is enough. */
class Nearest {
  readonly #least = { cpu: Infinity, memory: Infinity, disk: Infinity }
  readonly #nodes = { cpu: 0, memory: 0, disk: 0 }

  add(image: FleetImage, node: number, demand: Demand): void {
    const cpu = demand.cpuMilli - image.cpuFree[node]!
    const memory = demand.memoryBytes - image.memoryFree[node]!
    const disk = demand.diskBytes - image.diskFree[node]!
    if ((cpu > 0 ? 1 : 0) + (memory > 0 ? 1 : 0) + (disk > 0 ? 1 : 0) !== 1) return
    if (!image.hasPorts(node, demand.ports) || (demand.gpu !== null && image.chooseDevices(node, demand.gpu) === 0)) return
    if (cpu > 0) this.#note('cpu', cpu)
    else if (memory > 0) this.#note('memory', memory)
    else this.#note('disk', disk)
  }

  #note(dimension: 'cpu' | 'memory' | 'disk', short: number): void {
    if (short > this.#least[dimension]) return
    this.#nodes[dimension] = short === this.#least[dimension] ? this.#nodes[dimension] + 1 : 1
    this.#least[dimension] = short
  }

  all(): FilterCounts['nearest'] {
    return (['cpu', 'memory', 'disk'] as const).flatMap((dimension) =>
      this.#nodes[dimension] === 0 ? [] : [{ dimension, short: this.#least[dimension], nodes: this.#nodes[dimension] }],
    )
  }
}

/** `200m`, `64 MiB`; bytes rounded up, since so much would be enough. */
function amountText(dimension: 'cpu' | 'memory' | 'disk', amount: number): string {
  return dimension === 'cpu' ? `${amount}m` : `${Math.ceil(amount / 1_048_576)} MiB`
}

/** One sentence: why no node took it, and what would be enough. */
export function filterText(filters: FilterCounts): string {
  const parts: string[] = []
  const add = (count: number, what: string): void => {
    if (count > 0) parts.push(`${count} ${what}`)
  }
  add(filters.lost, 'lost')
  add(filters.draining, 'draining')
  add(filters.cordoned, 'cordoned')
  add(filters.condition, 'with a full disk or the like')
  add(filters.pool, 'of another pool')
  for (const [text, count] of Object.entries(filters.constraints)) add(count, `failed \`${text}\``)
  add(filters.size, 'too small even when empty')
  add(filters.cpu, 'without enough free cpu')
  add(filters.memory, 'without enough free memory')
  add(filters.disk, 'without enough free disk')
  add(filters.gpu, 'without enough free GPU')
  add(filters.ports, 'with the port taken')
  add(filters.distinct, 'with as many of the group as `distinct` allows')
  add(filters.spread, 'ahead of the hard spread')
  const near = filters.nearest.map(
    ({ dimension, short, nodes }) => `${nodes} ${nodes === 1 ? 'lacks' : 'lack'} only ${amountText(dimension, short)} ${dimension}`,
  )
  return `0 of ${filters.nodes} nodes can take it: ${parts.join(', ') || 'the fleet has no node'}${near.length > 0 ? `; nearest: ${near.join(', ')}` : ''}`
}

/** True when waiting cannot help: every open node is too small, of another pool or fails a constraint. */
export function isInfeasible(filters: FilterCounts): boolean {
  const open = filters.nodes - filters.lost - filters.draining - filters.cordoned - filters.condition
  const never = filters.size + filters.pool + Object.values(filters.constraints).reduce((sum, count) => sum + count, 0)
  return never === open && open > 0
}
