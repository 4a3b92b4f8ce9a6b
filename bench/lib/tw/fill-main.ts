import { fill } from './fill.ts'
import { jobShapes } from './fleet.ts'
import { joinNodes, openHouse, placedBy } from './house.ts'

/* A process that fills the fleet in the directory it is given, says how many tasks are durable, and is killed on its way. */

const house = await openHouse(process.argv[2] ?? '', ['tw.reconcile'])
await joinNodes(house.control)
let tasks = 0
house.control.onEntries((entries) => {
  for (const entry of entries) tasks += placedBy(entry)
  process.send?.({ tasks })
})
await fill(house, jobShapes(7))
