import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { GPUS_MAX, type Gpus } from '../core/contracts/node.ts'
import { refuse } from '../core/kernel/errors.ts'
import { systemProgram } from './exec/programs.ts'

/* What a machine has for its tasks beside cpu and memory. */

/** Part of a file system that tasks may reserve: with less than the rest free the node takes nothing new (`conditions.ts`). */
const DISK_SHARE = 0.9
const NVIDIA_SMI_MS = 10_000
const NVIDIA_PROC = '/proc/driver/nvidia/gpus'
export const NO_GPU = 'none'

/** Disk that tasks may reserve, in bytes, on the file system of a folder, which is made if it is not there. */
export function diskBytesOf(folder: string): number {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { blocks, bsize } = statfsSync(folder)
  return Math.floor(blocks * bsize * DISK_SHARE)
}

/** `T4=2 V100=1`, in the order of their indexes; `none`: there are none. @throws MusterError USAGE */
export function parseGpus(pairs: readonly string[]): Gpus[] {
  if (pairs.length === 1 && pairs[0] === NO_GPU) return []
  const gpus = pairs.map((pair): Gpus => {
    const match = /^([^=\s]+)=([1-9]\d?)$/.exec(pair)
    if (match?.[1] === undefined) throw refuse('USAGE', `--gpu "${pair}" is not of the form MODEL=COUNT, or ${NO_GPU}`)
    return { model: match[1], count: Number(match[2]) }
  })
  const all = gpus.reduce((sum, { count }) => sum + count, 0)
  if (all > GPUS_MAX) throw refuse('USAGE', `--gpu: a node has at most ${GPUS_MAX} GPUs, not ${all}`)
  return gpus
}

/** The other way: words for `--gpu`. */
export const gpuWords = (gpus: readonly Gpus[]): string[] =>
  gpus.length === 0 ? [NO_GPU] : gpus.map(({ model, count }) => `${model}=${count}`)

/** The GPUs of this machine in the order of their indexes, as NVIDIA's driver says; none where it says nothing. */
export function findGpus(): Gpus[] {
  const program = systemProgram('nvidia-smi')
  if (program !== null) {
    const { status, stdout } = spawnSync(program, ['-L'], { encoding: 'utf8', timeout: NVIDIA_SMI_MS })
    if (status === 0) return sideBySide(modelsOfList(stdout))
  }
  return existsSync(NVIDIA_PROC) ? sideBySide(modelsOfProc(NVIDIA_PROC)) : []
}

/** Lines `GPU 0: Tesla T4 (UUID: GPU-…)`. */
export function modelsOfList(text: string): string[] {
  return [...text.matchAll(/^GPU \d+: (.+?)(?: \(UUID: .*)?$/gm)].map((match) => modelName(match[1] ?? ''))
}

/** A folder for each device, named by its address on the bus, which is the order of their indexes. */
export function modelsOfProc(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .map((device) => modelName(/^Model:\s*(.+)$/m.exec(readFileSync(join(folder, device, 'information'), 'utf8'))?.[1] ?? 'unknown'))
}

/** `Tesla T4` is `T4` to a job file, `NVIDIA A100-SXM4-40GB` is `A100-SXM4-40GB`. */
const modelName = (text: string): string =>
  text
    .trim()
    .replace(/^NVIDIA /, '')
    .replace(/^Tesla /, '')
    .replaceAll(/\s+/g, '-')

function sideBySide(models: readonly string[]): Gpus[] {
  const gpus: Gpus[] = []
  for (const model of models.slice(0, GPUS_MAX)) {
    const last = gpus.at(-1)
    if (last?.model === model) last.count += 1
    else gpus.push({ model, count: 1 })
  }
  return gpus
}
