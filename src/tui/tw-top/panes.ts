import type { TaskView, NodeView, FleetSummary } from '../../core/tw/queries.ts'
import { cellTable, hotTable, jobTable, ownerTable } from '../../cli/render/tw-top.ts'
import { renderNodes } from '../../cli/render/tw-nodes.ts'
import { taskTable } from '../../cli/render/tw-tasks.ts'
import type { View } from '../../cli/terminal.ts'

/** Where a row leads. */
export type Target =
  | { kind: 'job'; job: string }
  | { kind: 'rack'; region: string; rack: string }
  | { kind: 'node'; node: string }
  | { kind: 'task'; task: string; id: number; job: string }

/** A list with a cursor: its head, and a line for each of its rows. */
export interface List {
  head: string
  rows: { key: string; line: string; target: Target | null }[]
}

export const MAIN_LISTS = ['jobs', 'racks', 'hot', 'owners'] as const
export type MainList = (typeof MAIN_LISTS)[number]

/** What was opened. */
export type Opened =
  | { kind: 'tasks'; title: string; tasks: readonly TaskView[]; nowMs: number }
  | { kind: 'nodes'; title: string; nodes: readonly NodeView[] }
  | { kind: 'text'; title: string; text: string }

/** Lines of a table and what its rows stand for; `targets` is empty when the table is. */
function listOf(lines: readonly string[], targets: readonly { key: string; target: Target | null }[]): List {
  const [head = '', ...rest] = lines
  return { head, rows: targets.map((it, i) => ({ ...it, line: rest[i] ?? '' })) }
}

export function mainList(view: View, summary: FleetSummary, list: MainList, filter: string): List {
  if (list === 'jobs')
    return listOf(
      jobTable(view, summary.jobs),
      summary.jobs.map(({ job }) => ({ key: job, target: { kind: 'job', job } })),
    )
  if (list === 'hot') {
    const hot = summary.hot.filter(({ node }) => node.includes(filter))
    return listOf(
      hotTable(view, hot),
      hot.map(({ node }) => ({ key: node, target: { kind: 'node', node } })),
    )
  }
  if (list === 'owners') {
    const owners = summary.owners.filter(({ name }) => name.includes(filter))
    return listOf(
      ownerTable(view, owners),
      owners.map(({ name }) => ({ key: name, target: null })),
    )
  }
  const cells = summary.regions.flatMap(({ region, cells: own }) => own.map((cell) => ({ ...cell, region })))
  const shown = cells.filter(({ name, region }) => `${region}/${name}`.includes(filter))
  return listOf(
    cellTable(view, shown, summary.cellOf),
    shown.map(({ region, name }) => ({
      key: `${region}/${name}`,
      // Of several racks the first is opened: the cell is named by its ends.
      target: summary.cellOf === 'node' ? { kind: 'node', node: name } : { kind: 'rack', region, rack: name.split('…')[0] ?? name },
    })),
  )
}

/** The list of what was opened; a text has none. */
export function openedList(view: View, opened: Opened, filter: string): List | null {
  if (opened.kind === 'tasks') {
    const tasks = opened.tasks.filter(({ task, node }) => `${task} ${node}`.includes(filter))
    return listOf(
      taskTable(view, tasks, opened.nowMs).split('\n'),
      tasks.map(({ task, id, job }) => ({ key: String(id), target: { kind: 'task', task, id, job } })),
    )
  }
  if (opened.kind === 'nodes') {
    const nodes = opened.nodes.filter(({ node }) => node.includes(filter))
    return listOf(
      renderNodes(view, nodes).split('\n'),
      nodes.map(({ node }) => ({ key: node, target: { kind: 'node', node } })),
    )
  }
  return null
}
