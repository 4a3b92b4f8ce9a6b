import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Flags, MusterCommand } from '../../cli/command.ts'
import { renderMeasured } from '../../cli/render/scuba-explore.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import type { Measured } from '../../server/scuba/measure/run.ts'

export default class ScubaBench extends MusterCommand {
  static override summary = 'Measure what this machine takes in and answers, on a store of its own that is gone afterwards.'
  static override description =
    'Rows like those of requests are made, sent, sealed and asked for. No fleet is needed, and none is touched; it takes the processor for about a minute for each two million rows.'
  static override flags = {
    rows: Flags.integer({ description: 'rows of 420 bytes', default: 500_000, min: 10_000, max: 100_000_000 }),
    cores: Flags.integer({ description: 'the store may use so many; without it all', min: 1 }),
    dir: Flags.string({ description: 'where the store is; without it where temporary files are', helpValue: 'DIR' }),
  }
  static override examples = [
    '<%= config.bin %> scuba bench',
    '<%= config.bin %> scuba bench --rows 5000000 --cores 1 --dir /var/tmp --json',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(ScubaBench)
    const { rows, cores = null } = flags
    if (cores !== null && cores > availableParallelism())
      throw new MusterError('USAGE', `--cores ${cores} is more than this machine has (${availableParallelism()})`)
    const { measure } = await import('../../server/scuba/measure/run.ts')
    const dir = makeDirectory(flags.dir ?? tmpdir())
    const signal = this.interrupted()
    const figures: Measured[] = []
    try {
      for await (const figure of measure(dir, rows, cores, signal)) {
        figures.push(figure)
        if (process.stderr.isTTY) this.note(`${figure.what}: ${figure.value.toPrecision(3)} ${figure.unit}`)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
    if (!signal.aborted) await this.answer('scuba.bench', { rows, cores: cores ?? availableParallelism(), figures }, renderMeasured)
  }
}

function makeDirectory(parent: string): string {
  try {
    return mkdtempSync(join(parent, 'muster-scuba-bench-'))
  } catch (error) {
    throw new MusterError('FILE_UNREADABLE', `${parent} cannot be written to (${(error as NodeJS.ErrnoException).code})`, { cause: error })
  }
}
