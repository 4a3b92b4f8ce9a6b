import type { Entry } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { runByPosition } from '../runs/rows.ts'
import { loadNames } from '../tasks/load.ts'
import { groupsOfTasks, nodesOfEnded, nodesOfGroup, nodesOfTasks } from '../tasks/read.ts'
import { recordsIn, type PlacedRecord } from '../tasks/records.ts'
import type { GroupKey, Look } from './fleet-cache.ts'

/** What an entry may have changed. */
export interface Touches {
  look: Look
  /** somebody asked for something else of the groups: they are looked at before those that something happened to */
  isAsked: boolean
  groups: GroupKey[]
  /** jobs with all their groups */
  jobs: string[]
  /** nodes that are not what they were */
  nodes: string[]
  /** nodes whose load changed */
  loads: string[]
  /** what was placed, as far as the referee let it */
  placed: PlacedSlice | null
}

export interface PlacedSlice extends GroupKey {
  version: number
  /** where they are, of many; few are by name in `loads` */
  records: readonly PlacedRecord[]
}

interface Body {
  job?: string
  group?: string
  name?: string
  node?: string
  nodes?: string[]
  id?: number
  ids?: number[]
  tasks?: { task?: string; node?: string }[]
  records?: string
  version?: number
  maintenance?: number
}

/** Entries no placement depends on: about traffic, who may join, and how planned work comes on, whose drains are entries of their own. */
const NOT_PLACEMENT =
  /^tw\.(Split|Fault|Service|Defrag|Settings|NodeToken|NodeAdmitted|AgentPort|Loss|DrainOverdue|Maintenance(?!Extended)|Profile(Set|Assigned|Waits|Writing|Drifted))/
/** Their nodes are different ones from then on. */
const OF_NODES = /^tw\.(Node|Drain|Domain|Profile)/

/** What is wanted of a group is another thing from then on. */
const OF_WISHES = /^tw\.(Job|Update|RunStarted|BackoffReset)/

/** What an entry of tw touches, by what its body names; null: it does not say, so it may be everything. */
export function touchesOf(db: ReadDb, entry: Entry): Touches | null {
  const none: Touches = { look: 'full', isAsked: OF_WISHES.test(entry.type), groups: [], jobs: [], nodes: [], loads: [], placed: null }
  if (NOT_PLACEMENT.test(entry.type) || entry.type === 'tw.TasksForgotten') return none
  const body = entry.body as Body
  const { job, group } = body
  const own = job !== undefined && group !== undefined ? [{ job, group }] : []
  if (entry.type === 'tw.TasksPlaced') {
    const records = 'records' in body ? recordsIn(body as { records: string }) : []
    const loads = [...new Set((body.tasks ?? []).flatMap((task) => task.node ?? []))]
    const [key] = own
    const placed = key === undefined ? null : { ...key, version: body.version ?? 0, records }
    return { ...none, look: 'check', groups: own, loads, placed }
  }
  if (entry.type === 'tw.TasksReported') {
    const groups = new Map((body.tasks ?? []).flatMap((it) => groupOfTask(it.task)).map((key) => [`${key.job}/${key.group}`, key]))
    return { ...none, look: 'check', groups: [...groups.values()], loads: body.node === undefined ? [] : [body.node] }
  }
  // Its drains have another deadline.
  if (entry.type === 'tw.MaintenanceExtended') return { ...none, nodes: nodesDrainedFor(db, body.maintenance ?? 0) }
  if (OF_NODES.test(entry.type)) {
    const nodes = [...(body.nodes ?? []), ...(body.node === undefined ? [] : [body.node])]
    return nodes.length === 0 ? null : { ...none, nodes }
  }
  // A run is a job of its own, which its start does not name.
  if (entry.type === 'tw.RunStarted') return { ...none, jobs: [runByPosition(db, entry.position)?.name ?? ''] }
  if (entry.type === 'tw.RunFinished') return { ...none, jobs: [body.name ?? ''] }
  const ids = [...(body.ids ?? []), ...(body.id === undefined ? [] : [body.id])]
  const groups = [...own, ...(job === undefined ? groupsOfTasks(db, ids) : [])]
  // Who is to end and was unknown is given up at once, and holds nothing any more.
  const loads = ids.length > 0 ? nodesOfEnded(db, ids) : []
  return { ...none, groups, jobs: job !== undefined && group === undefined ? [job] : [], loads }
}

function nodesDrainedFor(db: ReadDb, maintenance: number): string[] {
  const rows = db.all<{ node: string }>('SELECT node FROM tw_drain WHERE finished_at IS NULL AND maintenance = ?', maintenance)
  return rows.map(({ node }) => node)
}

/** The nodes of records, each once. */
export function idsOf(records: readonly PlacedRecord[]): number[] {
  return [...new Set(records.map((record) => record.node))]
}

/** `web/api[3]` */
function groupOfTask(task: string | undefined): GroupKey[] {
  const match = /^([^/]+)\/([^[]+)\[/.exec(task ?? '')
  return match === null ? [] : [{ job: match[1] ?? '', group: match[2] ?? '' }]
}

/** Nodes whose agents may have to be told something else after an entry; null: it does not say, so it may be all. */
export function nodesTouched(db: ReadDb, entry: Entry): string[] | null {
  const touches = touchesOf(db, entry)
  if (touches === null) return null
  const { ids, id } = entry.body as Body
  const named = [...touches.nodes, ...touches.loads, ...loadNames(db, idsOf(touches.placed?.records ?? [])).values()]
  if (touches.look === 'check') return named
  const tasks = [...(ids ?? []), ...(id === undefined ? [] : [id])]
  return [...named, ...(tasks.length > 0 ? nodesOfTasks(db, tasks) : touches.groups.flatMap((key) => nodesOfGroup(db, key.job, key.group)))]
}
