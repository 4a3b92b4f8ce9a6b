import { jobShapes, NODES, submitOf, type JobShape } from './fleet.ts'
import { countTasks, placedBy, until, type House } from './house.ts'

export interface Filled {
  placed: number
  seconds: number
  cpuSeconds: number
  /** time of the last 100,000 tasks by that of the first; of a smaller fleet, of its last and first tenth */
  lastToFirst: number
  rssBytes: number
  refused: number
}

const SUBMITTED_AT_ONCE = 50
const LOOK_MS = 5

/** Submits jobs while the controllers run, until all their tasks have a place and are durable. */
export async function fill(house: House, shapes: readonly JobShape[]): Promise<Filled> {
  const { control } = house
  const wanted = shapes.reduce((sum, shape) => sum + shape.count, 0)
  const step = Math.min(100_000, wanted / 10)
  const marks: { placed: number; ms: number }[] = []
  let placed = 0
  const startedMs = performance.now()
  const cpu = process.cpuUsage()
  const done = until(control, (entries) => {
    for (const entry of entries) placed += placedBy(entry)
    marks.push({ placed, ms: performance.now() - startedMs })
    return placed >= wanted
  })
  const loop = house.start()
  await submit(house, shapes)
  await done
  const seconds = (performance.now() - startedMs) / 1000
  const { user, system } = process.cpuUsage(cpu)
  await loop.stop()
  const at = (tasks: number): number => marks.find((mark) => mark.placed >= tasks)?.ms ?? 0
  const begun = marks.find((mark) => mark.placed > 0)?.ms ?? 0
  return {
    placed,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    lastToFirst: (seconds * 1000 - at(placed - step)) / (at(step) - begun || 1),
    rssBytes: process.resourceUsage().maxRSS * 1024,
    refused: placed - countTasks(control),
  }
}

export async function submit({ control }: Pick<House, 'control'>, shapes: readonly JobShape[]): Promise<void> {
  for (let from = 0; from < shapes.length; from += SUBMITTED_AT_ONCE) {
    const entries = shapes.slice(from, from + SUBMITTED_AT_ONCE).flatMap(submitOf)
    await control.submit({ actor: 'bench' }, () => ({ entries, value: () => undefined }))
  }
}

/** More jobs of the same mix until the first task finds no place; gives the part of the fleet's cpu that is reserved then. */
export async function fillUp(house: House): Promise<number> {
  const { control } = house
  const used = (): number =>
    (control.db.get<{ n: number }>('SELECT sum(cpu_milli) AS n FROM tw_node_load')?.n ?? 0) /
    (control.db.get<{ n: number }>('SELECT sum(cpu_milli) AS n FROM tw_node')?.n ?? 1)
  const loop = house.start()
  const more = jobShapes(13).map((shape) => ({ ...shape, name: `more-${shape.name}`, constraints: [], count: Math.min(200, NODES / 20) }))
  for (const shape of more) {
    const wanted = countTasks(control) + shape.count
    await submit(house, [shape])
    if (!(await isPlaced(house, shape.name, wanted))) break
  }
  await loop.stop()
  return used()
}

/** Once the controllers have placed a job, so that there are so many tasks, or have found no place for all of it. */
async function isPlaced({ control, cache }: House, job: string, tasks: number): Promise<boolean> {
  while (countTasks(control) < tasks) {
    if (cache.reasonsOf({ job, group: 'g' }).length > 0) return false
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return true
}
