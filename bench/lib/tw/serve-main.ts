import { nodeSet } from '../../../src/core/tw/entries/nodes.ts'
import { nodeName } from './fleet.ts'
import { openHouse } from './house.ts'

/* A server's part of tw that begins on a state that is there: says so once it decided over all groups. */

const house = await openHouse(process.argv[2] ?? '', [])
const reason = 'a write after the start'
await house.control.submit({ actor: 'bench' }, () => ({
  entries: [nodeSet.of({ node: nodeName(0), isCordoned: false, reason })],
  value: () => undefined,
}))
process.send?.('serving')
