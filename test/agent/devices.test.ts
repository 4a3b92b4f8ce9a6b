import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { diskBytesOf, gpuWords, modelsOfList, modelsOfProc, parseGpus } from '../../src/agent/devices.ts'
import { taskEnvironment } from '../../src/agent/exec/environment.ts'
import { parseOptions } from '../../src/agent/options.ts'
import { planLocalFleet, agentProcess } from '../../src/server/processes/fleet.ts'
import { remoteNode } from '../../src/server/processes/remote-agent.ts'
import { statePaths } from '../../src/platform/paths.ts'
import { desired, sh } from './harness.ts'

test('GPUs are said in the order of their indexes, and none is a word of its own', () => {
  expect(parseGpus(['T4=2', 'V100=1', 'T4=1'])).toEqual([
    { model: 'T4', count: 2 },
    { model: 'V100', count: 1 },
    { model: 'T4', count: 1 },
  ])
  expect(parseGpus(gpuWords([]))).toEqual([])
  for (const wrong of [['T4'], ['T4=0'], ['T4=x'], ['=2'], ['T4=16', 'V100=1'], ['none', 'T4=1']])
    expect(() => parseGpus(wrong), wrong.join(' ')).toThrow(expect.objectContaining({ code: 'USAGE' }))
})

test('models are named as a job file would, whoever tells them', () => {
  const list = 'GPU 0: Tesla T4 (UUID: GPU-1)\nGPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-2)\nGPU 2: NVIDIA GeForce RTX 3090 (UUID: GPU-3)\n'
  expect(modelsOfList(list)).toEqual(['T4', 'A100-SXM4-40GB', 'GeForce-RTX-3090'])
  expect(modelsOfList('No devices found.\n')).toEqual([])
  const folder = mkdtempSync(join(tmpdir(), 'mu-gpus-'))
  try {
    for (const [bus, model] of [
      ['0000:00:1f.0', 'Tesla V100-SXM2-16GB'],
      ['0000:00:1e.0', 'Tesla T4'],
    ] as const) {
      mkdirSync(join(folder, bus))
      writeFileSync(join(folder, bus, 'information'), `Model: \t\t ${model}\nIRQ:   \t\t 11\nDevice Minor: \t 0\n`)
    }
    expect(modelsOfProc(folder)).toEqual(['T4', 'V100-SXM2-16GB'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('an agent that is told nothing counts its file system less a tenth; one that is told counts what it is told', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mu-disk-'))
  try {
    const { blocks, bsize } = statfsSync(folder)
    expect(diskBytesOf(join(folder, 'state'))).toBe(Math.floor(blocks * bsize * 0.9))
    const said = parseOptions(['--node', 'n1', '--state-dir', folder, '--disk', '5GiB', '--gpu', 'T4=2'])
    expect(said).toMatchObject({ diskBytes: 5 * 1024 ** 3, gpus: [{ model: 'T4', count: 2 }] })
    expect(parseOptions(['--node', 'n1', '--state-dir', folder, '--gpu', 'none']).gpus).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('nodes of one machine share its disk, and only the first has its GPUs unless each is said to have some', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mu-fleet-'))
  try {
    const paths = statePaths('x', { MUSTER_STATE_DIR: folder })
    const words = (wish: object): string[] => {
      const fleet = planLocalFleet({ nodes: 2, regions: 1, gatewayPort: null, ...wish })
      return fleet.nodes.map((node) => {
        const command = agentProcess(paths, fleet, node).command()
        return command
          .slice(command.indexOf('--disk'))
          .join(' ')
          .replace(/--server .*?--gateway-port \d+/, '')
          .trim()
      })
    }
    const half = Math.floor(diskBytesOf(folder) / 2)
    expect(words({}).map((it) => it.replace(/\s+/g, ' '))).toEqual([`--disk ${half}B`, `--disk ${half}B --gpu none`])
    expect(words({ diskBytes: 7, gpus: [{ model: 'T4', count: 2 }] }).map((it) => it.replace(/\s+/g, ' '))).toEqual([
      '--disk 7B --gpu T4=2',
      '--disk 7B --gpu T4=2',
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a task sees the GPUs it was placed on and how much of each is its own; one without sees nothing of them', () => {
  const rest = { ports: {}, node: 'n1', region: 'r1', home: '/', servicePorts: {}, gateway: null }
  const env = taskEnvironment({ desired: desired(1, sh('true'), { devices: { indexes: [1, 3], shareMilli: 1000 } }), ...rest })
  expect(env).toMatchObject({
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    CUDA_VISIBLE_DEVICES: '1,3',
    NVIDIA_VISIBLE_DEVICES: '1,3',
    MUSTER_GPU_SHARE: '1',
  })
  const shared = taskEnvironment({ desired: desired(1, sh('true'), { devices: { indexes: [0], shareMilli: 465 } }), ...rest })
  expect(shared['MUSTER_GPU_SHARE']).toBe('0.465')
  expect(Object.keys(taskEnvironment({ desired: desired(1, sh('true')), ...rest })).filter((name) => /GPU|CUDA|NVIDIA/.test(name))).toEqual(
    [],
  )
})

test('`muster agent` passes on what it is told, and refuses what is none before anything is started', () => {
  const wish = { name: 'g1', address: '127.0.0.1', region: 'r', zone: 'z', rack: 'k', attribute: [], gpu: ['T4=2'], disk: '1GiB' }
  const told = remoteNode(wish)
  expect(told.gpus).toEqual(['T4=2'])
  expect(told.flags['disk']).toBe('1073741824B')
  const found = remoteNode({ ...wish, gpu: [], disk: undefined })
  expect([found.gpus, 'disk' in found.flags]).toEqual([[], false])
  expect(() => remoteNode({ ...wish, gpu: ['many'] })).toThrow(expect.objectContaining({ code: 'USAGE' }))
  expect(() => remoteNode({ ...wish, disk: 'much' })).toThrow(expect.objectContaining({ code: 'USAGE' }))
})
