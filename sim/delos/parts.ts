import type { SimOptions } from './options.ts'

interface Part {
  options: Omit<SimOptions, 'seed' | 'mutant'> & { scenario: 'log' | 'kv' | 'vlog' }
  /** of all seeds */
  share: number
}

const part = (scenario: 'log' | 'kv' | 'vlog', mode: SimOptions['mode'], servers: SimOptions['servers'], share: number): Part => ({
  options: { scenario, mode, servers },
  share,
})

/** A run of everything: many seeds where one takes little time, and each kind of run there is. */
export const PARTS: readonly Part[] = [
  part('log', 'safety', 3, 0.4),
  part('log', 'safety', 5, 0.12),
  part('log', 'liveness', 3, 0.08),
  part('vlog', 'safety', 3, 0.16),
  part('vlog', 'safety', 5, 0.04),
  part('vlog', 'liveness', 3, 0.04),
  part('kv', 'safety', 3, 0.1),
  part('kv', 'safety', 5, 0.03),
  part('kv', 'liveness', 3, 0.03),
]
