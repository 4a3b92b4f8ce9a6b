import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'

/** GPUs from what an agent says of them to what a task sees, on a real fleet; no GPU has to be there for it. */
let fleet: TestFleet

beforeAll(async () => {
  fleet = newFleet()
  await fleet.data('up', '--nodes', '1', '--gpu', 'T4=2', '--node-disk', '2GiB')
}, 120_000)

afterAll(async () => {
  await fleet.end()
}, 120_000)

const run = (name: string, count: number, gpu: object): Promise<unknown> => {
  const command = ['/bin/sh', '-c', 'echo "sees $CUDA_VISIBLE_DEVICES share $MUSTER_GPU_SHARE"; exec sleep 1000']
  const main = { command, resources: { cpu: '10m', memory: '8MiB', disk: '100MiB', gpu } }
  writeFileSync(
    join(fleet.home, 'job.yaml'),
    JSON.stringify({ job: name, groups: { g: { count, availability: { min_healthy_time: '0s' }, main } } }),
  )
  return fleet.data('tw', 'job', 'run', 'job.yaml')
}
const says = (task: string, text: string): Promise<boolean> =>
  eventually(`${task} says "${text}"`, 20_000, async () => (await fleet.muster('tw', 'logs', task)).stdout.includes(text))

test('two halves share a device, a whole one is on the other, and a model that is not there is refused with the reason', async () => {
  await run('half', 2, { share: '50%', models: ['T4'] })
  await says('half/g[0]', 'sees 0 share 0.5')
  await says('half/g[1]', 'sees 0 share 0.5')
  await run('whole', 1, {})
  await says('whole/g[0]', 'sees 1 share 1')

  const { stdout: node } = await fleet.muster('tw', 'node', 'show', 'n1')
  expect(node).toContain('0 T4 100 %, 1 T4 100 %')
  expect(node).toMatch(/300MiB reserved of 2GiB/)
  expect((await fleet.muster('tw', 'capacity')).stdout).toMatch(/2 of 2/)
  expect((await fleet.muster('tw', 'ps', '-o', 'wide')).stdout).toContain('T4 0 (50 %)')
  expect((await fleet.muster('tw', 'explain', 'half/g[0]')).stdout).toContain('by agreement only')

  await run('other', 1, { models: ['H100'] })
  const explained = await fleet.muster('tw', 'explain', 'other', '--node', 'n1')
  expect(explained.stdout).toContain('TW_NO_FEASIBLE_NODE')
  expect(explained.stdout).toContain('n1 cannot take it: 1 × GPU of H100 wanted, it has 0')
})
