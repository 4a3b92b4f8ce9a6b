import { jobShapes, NODES, TASKS } from './fleet.ts'
import { submit } from './fill.ts'
import { countTasks, joinNodes, openHouse, placedBy, until } from './house.ts'

/*
 * A process that fills the fleet in the directory it is given, or goes on with what another one left there, says how many tasks are durable,
 * and is killed on its way.
 */

const house = await openHouse(process.argv[2] ?? '', ['tw.reconcile'])
const { control } = house
let tasks = countTasks(house.control)
process.send?.({ tasks })
const nodes = control.db.get<{ n: number }>('SELECT count(*) AS n FROM tw_node')?.n ?? 0
if (nodes < NODES) await joinNodes(control)
const known = new Set(control.db.all<{ name: string }>('SELECT name FROM tw_job').map(({ name }) => name))
const done = until(control, (entries) => {
  for (const entry of entries) tasks += placedBy(entry)
  process.send?.({ tasks })
  return tasks >= TASKS
})
house.start()
await submit(
  house,
  jobShapes(7).filter(({ name }) => !known.has(name)),
)
if (tasks < TASKS) await done
await house.close()
process.disconnect()
