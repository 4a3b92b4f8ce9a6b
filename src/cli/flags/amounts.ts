import { MusterError } from '../../core/kernel/errors.ts'
import { parseCpu, parseSize } from '../../core/kernel/units.ts'

/** `--cpu 500m` as thousandths of a core; undefined stays so. */
export function cpuFlag(text: string | undefined): number | undefined {
  return text === undefined ? undefined : valid(parseCpu(text), `--cpu "${text}" is no amount of cpu such as 500m or 8`)
}

/** `--memory 16GiB` as bytes. */
export function memoryFlag(text: string | undefined): number | undefined {
  return text === undefined ? undefined : valid(parseSize(text), `--memory "${text}" is no size such as 512MiB or 16GiB`)
}

/** `--gpu T4=16 --gpu V100=2` as milli GPUs by model. */
export function gpuFlag(pairs: readonly string[] | undefined): Record<string, number> | undefined {
  if (!pairs?.length) return undefined
  return Object.fromEntries(
    pairs.map((pair) => {
      const match = /^([^=]+)=(\d+(?:\.\d+)?)$/.exec(pair)
      if (match?.[1] === undefined) throw new MusterError('USAGE', `--gpu "${pair}" is not of the form MODEL=COUNT`)
      return [match[1], Math.round(Number(match[2]) * 1000)]
    }),
  )
}

function valid(value: number | null, message: string): number {
  if (value === null) throw new MusterError('USAGE', message)
  return value
}
