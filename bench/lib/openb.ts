import { readFileSync } from 'node:fs'
import { must } from '../../src/core/kernel/assert.ts'
import type { GroupSpec } from '../../src/core/tw/job-spec.ts'
import { demandOf } from '../../src/core/tw/scheduler/demand.ts'
import { FleetImage } from '../../src/core/tw/scheduler/image.ts'
import { planMoves, type Movable } from '../../src/core/tw/scheduler/moves.ts'
import { planSlice } from '../../src/core/tw/scheduler/planner.ts'
import { createPrng, groupOf, MIB, nobody } from './tw-fleet.ts'

/** The openb lists (Weng et al., USENIX ATC 2023): nodes with GPUs, and tasks of which many want a share of one. */
export interface OpenbLists {
  nodes: { name: string; cpuMilli: number; memoryBytes: number; gpus: { model: string; count: number }[] }[]
  groups: GroupSpec[]
}

/** Both lists, from CSV files with a head: `sn,cpu_milli,memory_mib,gpu,model` and `name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,…`. */
export function openbOf(nodesFile: string, tasksFile: string): OpenbLists {
  const base = groupOf({ spread: {} })
  return {
    nodes: rowsOf(nodesFile).map((row) => ({
      name: row('sn'),
      cpuMilli: Number(row('cpu_milli')),
      memoryBytes: Number(row('memory_mib')) * MIB,
      gpus: Number(row('gpu')) > 0 ? [{ model: row('model'), count: Number(row('gpu')) }] : [],
    })),
    groups: rowsOf(tasksFile).map((row) => {
      const count = Number(row('num_gpu'))
      const gpu = { count, shareMilli: count > 1 ? 1000 : Number(row('gpu_milli')), models: row('gpu_spec').split('|').filter(Boolean) }
      return {
        ...base,
        name: row('name'),
        container: {
          ...base.container,
          cpuMilli: Number(row('cpu_milli')),
          memoryBytes: Number(row('memory_mib')) * MIB,
          gpu: count > 0 ? gpu : null,
        },
      }
    }),
  }
}

function rowsOf(file: string): ((column: string) => string)[] {
  const [head = '', ...lines] = readFileSync(file, 'utf8').trim().split(/\r?\n/)
  const columns = head.split(',')
  return lines.map((line) => {
    const cells = line.split(',')
    return (column) => cells[columns.indexOf(column)] ?? ''
  })
}

/**
 * The published protocol: the list and re-draws from it until 130 % of the GPU is asked for, shuffled, placed one by one,
 * what does not fit skipped. Gives the mean of the used GPU in percent over the steps at which 100 % (rounded) had arrived.
 * `movesShare`: so many of the placed tasks may be moved meanwhile, as `tw defrag` does.
 */
export function replay({ nodes, groups }: OpenbLists, seed: number, movesShare = 0): { used: number; moves: number; tasks: number } {
  const random = createPrng(seed)
  const image = new FleetImage()
  for (const node of nodes) image.setNode({ ...node, address: node.name, attributes: {}, closed: null, diskBytes: 0 })
  // The frequent shapes are those of the list; where tasks run they are those of the fleet's own tasks.
  for (const group of groups) image.expect(demandOf(group), 1000)
  const total = nodes.reduce((sum, node) => sum + node.gpus.reduce((gpus, { count }) => gpus + 1000 * count, 0), 0)
  const onNode = nodes.map((): Movable[] => [])
  const values: number[] = []
  let [arrived, used, tasks, moves, percent] = [0, 0, 0, 0, MOVES_FROM_PERCENT]
  for (const group of arrivals(groups, total * 1.3, random)) {
    arrived += gpuOf(group)
    const {
      nodes: [at],
      devices: [devices = 0],
    } = planSlice(image, { job: 'openb', group, indexes: [0], standing: nobody })
    if (at !== undefined) {
      used += gpuOf(group)
      tasks += 1
      onNode[at]?.push({ id: tasks, job: 'openb', grp: group.name, idx: 0, group, devices, standing: nobody })
    }
    if (movesShare > 0 && (100 * arrived) / total >= percent && percent <= 100) {
      percent += 1
      moves += moveTasks(image, onNode, Math.floor((movesShare * tasks - moves) / (102 - percent)))
    }
    if (Math.round((100 * arrived) / total) === 100) values.push((100 * used) / total)
  }
  return { used: values.reduce((sum, value) => sum + value, 0) / values.length, moves, tasks }
}

/** Before that there is room anyway, and a move would be wasted; from then on after each percent that arrived. */
const MOVES_FROM_PERCENT = 70
/** Little is worth a move where a replay costs nobody a restart. */
const GAIN_MIN_MILLI = 1

function moveTasks(image: FleetImage, onNode: readonly Movable[][], movesMax: number): number {
  const moves = planMoves(image, { movesMax, gainMin: GAIN_MIN_MILLI }, (node) => [...(onNode[node] ?? [])])
  for (const { task, from, to, devices } of moves) {
    const [source, target] = [must(image.indexOf(from), from), must(image.indexOf(to), to)]
    const tasks = must(onNode[source], from)
    tasks.splice(
      tasks.findIndex(({ id }) => id === task.id),
      1,
    )
    onNode[target]?.push({ ...task, devices })
    image.applyTask(target, demandOf(task.group), 1, devices)
    image.applyTask(source, demandOf(task.group), -1, task.devices)
  }
  return moves.length
}

function arrivals(groups: readonly GroupSpec[], least: number, random: ReturnType<typeof createPrng>): GroupSpec[] {
  const list = [...groups]
  let asked = list.reduce((sum, group) => sum + gpuOf(group), 0)
  while (asked < least) {
    const group = must(groups[random.below(groups.length)], 'a task')
    list.push(group)
    asked += gpuOf(group)
  }
  for (let i = list.length - 1; i > 0; i -= 1) {
    const j = random.below(i + 1)
    ;[list[i], list[j]] = [must(list[j], 'a task'), must(list[i], 'a task')]
  }
  return list
}

const gpuOf = ({ container: { gpu } }: GroupSpec): number => (gpu === null ? 0 : gpu.count * gpu.shareMilli)
