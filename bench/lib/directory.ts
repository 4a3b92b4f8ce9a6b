import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Figure } from './figure.ts'

/** A part of a benchmark in a directory of its own, in `MUSTER_BENCH_DIR` or where temporary files are, which is removed after it. */
export async function* inDirectory(name: string, part: (dir: string) => AsyncGenerator<Figure>): AsyncGenerator<Figure> {
  const dir = mkdtempSync(join(process.env['MUSTER_BENCH_DIR'] ?? tmpdir(), `muster-bench-${name}-`))
  try {
    yield* part(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
